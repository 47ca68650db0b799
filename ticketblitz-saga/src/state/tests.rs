//! First each rule by itself, then every row that can be reached, by every input that can come there.

use std::collections::HashSet;

use super::*;
use crate::Outcome;

const NOW: Timestamp = Timestamp::from_micros(1_000);
const LATER: Timestamp = Timestamp::from_micros(2_000);
const LIMIT: u32 = 3;

const START: usize = 0;
const RESERVE: usize = 1;
const PAID: usize = 2;
const NOTE: usize = 3;
const SELL: usize = 4;
const CONFIRM: usize = 5;
const TELL: usize = 6;
const COLLECTED: usize = 7;

/// What differs between the shapes that are tried.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    look_up_step: bool,
    look_up_wait: bool,
    give_up: bool,
    on_failed: bool,
}

/// started, reserve, wait for payment, note (local), pivot sell, confirm (local), tell, wait until
/// collected.
fn shape(flags: Flags) -> Shape {
    let wait = |signal: &str| NodeKind::Wait { signals: vec![signal.to_owned()] };
    let node = |name: &str, kind, undo| {
        let name = name.to_owned();
        NodeShape { name, kind, undo, reconcile: false, give_up_after: None }
    };
    let mut nodes = vec![
        node("started", NodeKind::Start, true),
        node("reserve", NodeKind::Step, true),
        node("paid", wait("paid"), true),
        node("note", NodeKind::Local, true),
        node("sell", NodeKind::Pivot, false),
        node("confirm", NodeKind::Local, false),
        node("tell", NodeKind::Step, false),
        node("collected", wait("collected"), false),
    ];
    nodes[RESERVE].reconcile = flags.look_up_step;
    nodes[PAID].reconcile = flags.look_up_wait;
    nodes[RESERVE].give_up_after = flags.give_up.then_some(2);
    nodes[NOTE].give_up_after = flags.give_up.then_some(2);
    Shape { nodes, on_failed: flags.on_failed }
}

fn plain() -> Shape {
    shape(Flags::default())
}

fn done() -> Input {
    Input::Done("{}".to_owned())
}

fn not(how: How) -> Input {
    Input::Failed { how, error: "no".to_owned(), retry_at: LATER, limit: LIMIT }
}

fn cancel() -> Input {
    Input::Cancel("changed my mind".to_owned())
}

/// A saga that has come to `node` without trouble.
fn at(shape: &Shape, node: usize) -> Row {
    let mut row = Row::begin(shape, "{}".to_owned());
    while row.node < node {
        let waits = matches!(shape.nodes[row.node].kind, NodeKind::Wait { .. });
        row = row.after(shape, if waits { Input::SignalGo("{}".to_owned()) } else { done() });
    }
    assert_eq!((row.phase, row.node), (Phase::Running, node));
    row
}

fn all(row: &Row, shape: &Shape, inputs: impl IntoIterator<Item = Input>) -> Row {
    inputs.into_iter().fold(row.clone(), |row, input| row.after(shape, input))
}

/// The nodes that are undone from here, in this order, if every undo works.
fn undone(mut row: Row, shape: &Shape) -> Vec<usize> {
    let mut order = Vec::new();
    while row.phase == Phase::Undoing {
        assert_eq!(row.action(shape, NOW), Action::Undo);
        order.push(row.node);
        row = row.after(shape, done());
    }
    assert_eq!(row.phase, if shape.on_failed { Phase::Closing } else { Phase::Failed });
    order
}

#[test]
fn a_saga_begins_at_the_first_node_that_has_something_to_do() {
    let row = Row::begin(&plain(), "{}".to_owned());
    assert_eq!((row.node, row.version, row.wake), (RESERVE, 1, Wake::Now));
    let waits = Shape { nodes: vec![plain().nodes[PAID].clone()], on_failed: false };
    assert_eq!(Row::begin(&waits, String::new()).wake, Wake::Deadline);
    let starts = Shape { nodes: vec![plain().nodes[START].clone()], on_failed: false };
    assert_eq!(Row::begin(&starts, String::new()).phase, Phase::Completed, "there is nothing to do");
}

#[test]
fn it_goes_forward_node_by_node_to_its_end() {
    let shape = plain();
    let row = at(&shape, COLLECTED);
    assert_eq!((row.wake, row.version), (Wake::Deadline, COLLECTED as u64));
    let row = row.after(&shape, Input::SignalGo("\"end\"".to_owned()));
    assert_eq!((row.phase, row.wake, row.state.as_str()), (Phase::Completed, Wake::Never, "\"end\""));
}

#[test]
fn a_retry_waits_and_counts_and_success_forgets_it() {
    let shape = plain();
    let row = all(&at(&shape, RESERVE), &shape, [not(How::Retry), not(How::Retry)]);
    assert_eq!((row.node, row.failures, row.wake), (RESERVE, 2, Wake::At(LATER)));
    assert_eq!((row.action(&shape, NOW), row.action(&shape, LATER)), (Action::Rest, Action::Run));
    let row = row.after(&shape, done());
    assert_eq!((row.node, row.failures, row.error), (PAID, 0, None));
}

#[test]
fn an_abort_undoes_what_came_before_last_first_and_not_itself() {
    let shape = plain();
    let aborted = |node: usize| undone(at(&shape, node).after(&shape, not(How::Abort)), &shape);
    assert_eq!(aborted(RESERVE), [START]);
    assert_eq!(aborted(NOTE), [PAID, RESERVE, START]);
    assert_eq!(aborted(SELL), [NOTE, PAID, RESERVE, START], "the pivot refused");
    let declined = Input::SignalAbort("\"declined\"".to_owned(), "no money".to_owned());
    let row = at(&shape, PAID).after(&shape, declined);
    assert_eq!(
        (row.state.as_str(), &row.failure),
        ("\"declined\"", &Some(Failure::Aborted("no money".into())))
    );
    assert_eq!(undone(row, &shape), [RESERVE, START]);
}

#[test]
fn what_may_have_happened_is_undone_too() {
    let shape = plain();
    let unknown = at(&shape, RESERVE).after(&shape, not(How::Unknown));
    assert_eq!(undone(unknown, &shape), [RESERVE, START]);
    let passed = at(&shape, PAID).after(&shape, Input::DeadlinePassed);
    assert_eq!(passed.failure, Some(Failure::DeadlinePassed { wait: "paid".to_owned() }));
    assert_eq!(undone(passed, &shape), [PAID, RESERVE, START]);
    let given_up = shape_that_gives_up();
    let row = all(&at(&given_up, RESERVE), &given_up, [not(How::Retry), not(How::Retry)]);
    assert_eq!(undone(row, &given_up), [RESERVE, START]);
}

fn shape_that_gives_up() -> Shape {
    shape(Flags { give_up: true, ..Flags::default() })
}

#[test]
fn a_local_step_that_failed_has_not_happened() {
    let shape = plain();
    let row = at(&shape, NOTE).after(&shape, not(How::Unknown));
    assert_eq!((row.phase, row.node, row.failures), (Phase::Running, NOTE, 1), "it is tried again");
    let given_up = shape_that_gives_up();
    let row = all(&at(&given_up, NOTE), &given_up, [not(How::Unknown), not(How::Retry)]);
    assert_eq!(undone(row, &given_up), [PAID, RESERVE, START]);
}

#[test]
fn a_doubt_is_looked_up_before_anything_else() {
    let shape = shape(Flags { look_up_step: true, look_up_wait: true, ..Flags::default() });
    for (node, input) in [(RESERVE, not(How::Unknown)), (PAID, Input::DeadlinePassed), (PAID, cancel())] {
        let cancelled = matches!(input, Input::Cancel(_));
        let row = at(&shape, node).after(&shape, input);
        assert_eq!(
            (row.phase, row.doubt, row.action(&shape, NOW)),
            (Phase::Running, true, Action::Reconcile)
        );
        let no = row.after(&shape, Input::Reconciled(None));
        assert!(no.failure.is_some());
        assert_eq!(undone(no, &shape).first(), Some(&(node - 1)), "its own undo is skipped");
        let yes = row.after(&shape, Input::Reconciled(Some("\"found\"".to_owned())));
        assert_eq!(yes.state, "\"found\"");
        if cancelled {
            assert_eq!(undone(yes, &shape).first(), Some(&node), "found, and unwanted by now");
        } else {
            assert_eq!(
                (yes.phase, yes.node, yes.doubt, yes.failure),
                (Phase::Running, node + 1, false, None)
            );
        }
    }
}

#[test]
fn a_signal_settles_a_doubt_that_a_deadline_raised_but_not_a_cancellation() {
    let shape = shape(Flags { look_up_wait: true, ..Flags::default() });
    let passed = at(&shape, PAID).after(&shape, Input::DeadlinePassed);
    assert_eq!(passed.route_signal(&shape, "paid"), Route::Handle);
    let row = passed.after(&shape, Input::SignalGo("{}".to_owned()));
    assert_eq!((row.node, row.doubt, row.failure), (NOTE, false, None));
    let cancelled = at(&shape, PAID).after(&shape, cancel());
    assert_eq!(cancelled.route_signal(&shape, "paid"), Route::Late(Outcome::Compensating));
}

#[test]
fn a_cancellation_does_not_lose_the_lookup_in_progress() {
    let shape = shape(Flags { look_up_step: true, look_up_wait: true, ..Flags::default() });
    for (node, input) in [(RESERVE, not(How::Unknown)), (PAID, Input::DeadlinePassed)] {
        let doubt = at(&shape, node).after(&shape, input).after(&shape, not(How::Retry));
        let row = doubt.after(&shape, cancel());
        assert!(row.same_work(&doubt), "what it finds still fits");
        let found = row.after(&shape, Input::Reconciled(Some("{}".to_owned())));
        assert_eq!(undone(found, &shape).first(), Some(&node));
    }
}

#[test]
fn a_lookup_that_keeps_failing_parks_and_is_resumed() {
    let shape = shape(Flags { look_up_step: true, ..Flags::default() });
    let doubt = at(&shape, RESERVE).after(&shape, not(How::Unknown));
    let row = all(&doubt, &shape, [not(How::Retry), not(How::Retry)]);
    assert_eq!((row.wake, row.failures), (Wake::At(LATER), 2));
    let row = row.after(&shape, not(How::Retry));
    assert_eq!((row.wake, row.action(&shape, LATER)), (Wake::Parked, Action::Rest));
    let row = row.after(&shape, Input::Resume);
    assert_eq!((row.failures, row.action(&shape, NOW)), (0, Action::Reconcile));
}

#[test]
fn a_cancellation_waits_for_the_step_and_whatever_it_answers_decides_what_is_undone() {
    let shape = plain();
    let running = at(&shape, RESERVE);
    let row = running.after(&shape, cancel());
    assert!(row.same_work(&running), "the answer of the step in progress still fits");
    assert_eq!(row.action(&shape, NOW), Action::Interrupt, "unless nobody is at it");
    for (answer, order) in [
        (done(), &[RESERVE, START][..]),
        (not(How::Abort), &[START]),
        (not(How::Retry), &[RESERVE, START]),
        (not(How::Unknown), &[RESERVE, START]),
        (Input::Interrupted, &[RESERVE, START]),
    ] {
        let row = row.after(&shape, answer.clone());
        assert_eq!(row.failure, Some(Failure::Cancelled("changed my mind".into())), "{answer:?}");
        assert_eq!((&row.cancel, undone(row.clone(), &shape).as_slice()), (&None, order), "{answer:?}");
    }
    for answer in [not(How::Retry), not(How::Unknown), not(How::Abort), Input::Interrupted] {
        let row = at(&shape, NOTE).after(&shape, cancel()).after(&shape, answer);
        assert_eq!(undone(row, &shape), [PAID, RESERVE, START], "a local step has not happened");
    }
    assert_eq!(undone(at(&shape, PAID).after(&shape, cancel()), &shape), [PAID, RESERVE, START]);
}

#[test]
fn whether_a_cancellation_comes_in_time() {
    let shape = plain();
    for node in [RESERVE, PAID, NOTE] {
        assert_eq!(at(&shape, node).route_cancel(&shape), CancelRoute::Apply);
        let cancelled = at(&shape, node).after(&shape, cancel());
        assert_eq!(cancelled.route_cancel(&shape), CancelRoute::Already);
    }
    for node in [SELL, CONFIRM, TELL, COLLECTED] {
        assert_eq!(at(&shape, node).route_cancel(&shape), CancelRoute::TooLate);
    }
    let completed = at(&shape, COLLECTED).after(&shape, Input::DeadlinePassed);
    assert_eq!(completed.route_cancel(&shape), CancelRoute::Finished);
    let endless = Shape { nodes: plain().nodes[..SELL].to_vec(), on_failed: false };
    assert_eq!(at(&endless, NOTE).route_cancel(&endless), CancelRoute::Apply, "there is no pivot");
}

#[test]
fn behind_the_pivot_there_is_only_forward() {
    let shape = plain();
    for how in [How::Retry, How::Unknown] {
        for node in [SELL, CONFIRM, TELL] {
            let row = all(&at(&shape, node), &shape, vec![not(how); 100]);
            let stays = (Phase::Running, node, 100, Wake::At(LATER));
            assert_eq!((row.phase, row.node, row.failures, row.wake), stays, "never parked, never undone");
        }
    }
    let row = at(&shape, COLLECTED).after(&shape, Input::DeadlinePassed);
    assert_eq!((row.phase, row.failure), (Phase::Completed, None), "its time is up, so it goes on");
}

#[test]
fn what_becomes_of_a_signal() {
    let shape = plain();
    let aborted = at(&shape, NOTE).after(&shape, not(How::Abort));
    let failed = all(&aborted, &shape, [done(), done(), done()]);
    let completed = at(&shape, COLLECTED).after(&shape, Input::DeadlinePassed);
    for (row, route) in [
        (at(&shape, RESERVE), Route::Early),
        (at(&shape, RESERVE).after(&shape, cancel()), Route::Late(Outcome::Compensating)),
        (at(&shape, PAID), Route::Handle),
        (at(&shape, SELL), Route::Ignored),
        (aborted, Route::Late(Outcome::Compensating)),
        (failed, Route::Late(Outcome::Failed)),
        (completed, Route::Late(Outcome::Completed)),
    ] {
        assert_eq!(row.route_signal(&shape, "paid"), route, "{row:?}");
    }
    assert_eq!(at(&shape, PAID).route_signal(&shape, "unheard of"), Route::Ignored);
}

#[test]
fn an_undo_that_keeps_failing_is_owed_while_the_others_run() {
    let shape = shape(Flags { on_failed: true, ..Flags::default() });
    let row = at(&shape, NOTE).after(&shape, not(How::Abort));
    let row = all(&row, &shape, vec![not(How::Retry); 3]);
    assert_eq!(
        (row.node, &row.owed, row.failures),
        (RESERVE, &vec![PAID], 0),
        "the next one has its own count"
    );
    let row = all(&row, &shape, [done(), not(How::Retry), not(How::Retry), not(How::Retry)]);
    assert_eq!((row.wake, &row.undos, &row.owed), (Wake::Parked, &vec![START, PAID], &vec![]));
    assert_eq!((row.action(&shape, LATER), row.error.as_deref()), (Action::Rest, Some("no")));
    let row = row.after(&shape, Input::Resume);
    assert_eq!(undone(row, &shape), [PAID, START], "what is owed, last first, and nothing twice");
}

#[test]
fn the_close_is_the_last_thing_and_parks_when_it_keeps_failing() {
    let shape = shape(Flags { on_failed: true, ..Flags::default() });
    let aborted = at(&shape, RESERVE).after(&shape, not(How::Abort));
    let row = all(&aborted, &shape, [done(), not(How::Abort), not(How::Unknown)]);
    assert_eq!((row.phase, row.wake), (Phase::Closing, Wake::At(LATER)), "nothing can be aborted any more");
    let row = row.after(&shape, not(How::Retry));
    assert_eq!(row.wake, Wake::Parked);
    let row = all(&row, &shape, [Input::Resume, Input::Done("\"closed\"".to_owned())]);
    assert_eq!((row.phase, row.wake, row.state.as_str()), (Phase::Failed, Wake::Never, "\"closed\""));
}

/// Every input that the engine, a token or an operator can bring to this row.
fn possible(row: &Row, shape: &Shape) -> Vec<Input> {
    let answers = [done(), not(How::Retry), not(How::Abort), not(How::Unknown)];
    let mut inputs = match row.action(shape, LATER) {
        Action::Run | Action::Undo | Action::Close => answers.to_vec(),
        // The step may be running at this moment, or not.
        Action::Interrupt => [&answers[..], &[Input::Interrupted]].concat(),
        Action::Reconcile => {
            vec![Input::Reconciled(None), Input::Reconciled(Some("{}".to_owned())), not(How::Retry)]
        }
        Action::PassDeadline | Action::Rest => Vec::new(),
    };
    let waits = row.phase == Phase::Running && matches!(shape.nodes[row.node].kind, NodeKind::Wait { .. });
    if waits && !row.doubt {
        inputs.push(Input::DeadlinePassed);
    }
    if ["paid", "collected"].iter().any(|signal| row.route_signal(shape, signal) == Route::Handle) {
        inputs.push(Input::SignalGo("{}".to_owned()));
        // The builder offers no abort behind the pivot.
        if row.node < SELL {
            inputs.push(Input::SignalAbort("{}".to_owned(), "no".to_owned()));
        }
    }
    if row.route_cancel(shape) == CancelRoute::Apply {
        inputs.push(cancel());
    }
    if row.wake == Wake::Parked {
        inputs.push(Input::Resume);
    }
    inputs
}

fn check_row(row: &Row, shape: &Shape) {
    assert_eq!(row.finished(), row.wake == Wake::Never, "who is not finished is woken, or parked: {row:?}");
    assert!(row.phase != Phase::Completed || row.failure.is_none(), "{row:?}");
    assert!(row.phase == Phase::Running || row.phase == Phase::Completed || row.failure.is_some(), "{row:?}");
    assert!(!row.doubt || (row.phase == Phase::Running && shape.nodes[row.node].reconcile), "{row:?}");
    assert!(row.cancel.is_none() || (row.phase == Phase::Running && row.node < SELL), "{row:?}");
    assert!(row.undos.iter().chain(&row.owed).all(|&node| shape.nodes[node].undo), "{row:?}");
    assert!(row.undos.is_sorted() && row.owed.is_sorted(), "last first: {row:?}");
    assert_eq!(row.phase == Phase::Undoing, !row.undos.is_empty(), "{row:?}");
    assert!(row.phase != Phase::Undoing || row.undos.last() == Some(&row.node), "{row:?}");
    if row.wake == Wake::Now {
        assert_ne!(row.action(shape, NOW), Action::Rest, "a due saga is never at a loss: {row:?}");
    }
}

fn check_move(from: &Row, input: &Input, to: &Row) {
    let seen = format!("{from:?} --{input:?}--> {to:?}");
    assert_eq!(to.version, from.version + 1, "{seen}");
    assert!(to.phase as u8 >= from.phase as u8, "phases go one way: {seen}");
    let refused = from.node == SELL && matches!(input, Input::Failed { how: How::Abort, .. });
    if from.phase == Phase::Running && from.node >= SELL && !refused {
        assert!(matches!(to.phase, Phase::Running | Phase::Completed), "past the pivot: {seen}");
    }
    if from.phase == Phase::Running && to.phase == Phase::Running {
        assert!(to.node == from.node || to.node == from.node + 1, "no node is skipped: {seen}");
    }
    if from.cancel.is_some() {
        assert!(
            to.phase != Phase::Running || to.node == from.node,
            "an accepted cancellation stands: {seen}"
        );
    }
    if from.phase == Phase::Running && to.phase == Phase::Undoing {
        assert!(to.undos.iter().all(|&node| node <= from.node), "only what was begun: {seen}");
        let before = (0..from.node).filter(|node| to.undos.contains(node)).count();
        assert_eq!(before, from.node.min(SELL), "and all of what was done: {seen}");
    }
    if from.phase == Phase::Undoing {
        let owing = |row: &Row| row.undos.iter().chain(&row.owed).copied().collect::<HashSet<_>>();
        let (mut left, struck) = (owing(from), matches!(input, Input::Done(_)));
        if struck {
            left.remove(&from.node);
        }
        assert_eq!(owing(to), left, "an undo is struck when it is done, and only then: {seen}");
    }
}

#[test]
fn every_row_that_can_be_reached_keeps_the_rules() {
    for bits in 0..16_u8 {
        let flags = Flags {
            look_up_step: bits & 1 != 0,
            look_up_wait: bits & 2 != 0,
            give_up: bits & 4 != 0,
            on_failed: bits & 8 != 0,
        };
        let shape = shape(flags);
        let (mut seen, mut ends) = (HashSet::new(), HashSet::new());
        let mut open = vec![Row::begin(&shape, "{}".to_owned())];
        while let Some(row) = open.pop() {
            // The version tells rows apart that are the same; tries without end are cut off.
            if row.failures > LIMIT || !seen.insert(format!("{:?}", Row { version: 0, ..row.clone() })) {
                continue;
            }
            check_row(&row, &shape);
            if row.finished() {
                ends.insert(format!("{:?}", row.phase));
                assert!(possible(&row, &shape).is_empty(), "nothing happens to it any more: {row:?}");
            }
            for input in possible(&row, &shape) {
                let next = row.after(&shape, input.clone());
                check_move(&row, &input, &next);
                open.push(next);
            }
        }
        assert_eq!((ends.len(), seen.len() > 50), (2, true), "{flags:?}: {} rows", seen.len());
    }
}
