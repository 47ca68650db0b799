//! The whole system as its users meet it: the real binary, its sockets, its files, its signals.

mod audit;
mod backup;
mod burst;
mod common;
mod crash;
mod demo;
mod errors;
mod faults;
mod flow;
mod hostile;
mod kills;
mod lifecycle;
mod pipes;
mod releases;
mod retention;
mod seed_defects;
mod walkthrough;
mod wire;
