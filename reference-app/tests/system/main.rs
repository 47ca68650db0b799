//! The whole system as its users meet it: the real binary, its sockets, its files, its signals.

mod audit;
mod backup;
mod common;
mod crash;
mod demo;
mod errors;
mod faults;
mod flow;
mod lifecycle;
mod releases;
mod retention;
mod seed_defects;
mod walkthrough;
