use serde_json::Value;

use super::*;

fn message(seq: i64, key: &str) -> Message {
    let envelope = Envelope::new("test", key, Timestamp::EPOCH, Value::Null);
    Message { seq, key: key.to_owned(), envelope: Some(envelope) }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn lanes(messages: &[(i64, &str)]) -> Lanes {
    let mut lanes = Lanes::default();
    messages.iter().for_each(|(seq, key)| lanes.push(message(*seq, key)));
    lanes
}

fn taken(lanes: &mut Lanes, now: i64) -> Vec<i64> {
    std::iter::from_fn(|| lanes.take(at(now))).map(|message| message.seq).collect()
}

#[test]
fn one_key_comes_in_order_and_others_beside_it() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    assert_eq!(taken(&mut lanes, 0), [1, 3]);
    lanes.done("b");
    assert_eq!(lanes.position(3), 0, "1 is not done");
    lanes.done("a");
    assert_eq!((taken(&mut lanes, 0), lanes.position(3)), (vec![2], 1));
    lanes.done("a");
    assert_eq!((lanes.len(), lanes.position(3)), (0, 3));
}

#[test]
fn with_the_clock_set_back_nobody_waits_for_it() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    taken(&mut lanes, 100);
    lanes.failed("a", "no".to_owned(), at(110));
    assert!(taken(&mut lanes, 50).is_empty());
    lanes.hurry(at(50));
    assert_eq!(taken(&mut lanes, 50), [1]);
    lanes.done("a");
    assert_eq!(taken(&mut lanes, 50), [2]);
}

#[test]
fn a_failure_blocks_its_key_only_and_the_position_goes_on_without_it() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    taken(&mut lanes, 0);
    lanes.failed("a", "no".to_owned(), at(10));
    lanes.done("b");
    lanes.push(message(4, "a"));
    assert_eq!(lanes.position(4), 4);
    let (blocked, done) = lanes.take_changes();
    assert_eq!(
        blocked.iter().map(|row| (row.seq, row.failures)).collect::<Vec<_>>(),
        [(1, 1), (2, 0), (4, 0)]
    );
    assert!(done.is_empty());
    assert_eq!((taken(&mut lanes, 9), lanes.next_due()), (vec![], Some(at(10))));
    assert_eq!(taken(&mut lanes, 10), [1]);
    lanes.done("a");
    assert_eq!(taken(&mut lanes, 10), [2]);
    lanes.done("a");
    assert_eq!(lanes.take_changes().1, [1, 2], "struck once done");
}

#[test]
fn with_a_dead_letter_go_those_behind_it() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    taken(&mut lanes, 0);
    lanes.died("a", "poison");
    lanes.push(message(4, "a"));
    let dead: Vec<i64> = lanes.take_changes().0.iter().filter(|row| row.dead).map(|row| row.seq).collect();
    assert_eq!(dead, [1, 2, 4]);
    lanes.done("b");
    assert_eq!((taken(&mut lanes, 0), lanes.position(4)), (vec![], 4));
    for _ in 0..2 {
        [1, 2, 4].into_iter().for_each(|seq| lanes.replay(message(seq, "a"), at(5)));
    }
    lanes.push(message(5, "a"));
    let mut order = Vec::new();
    while let Some(message) = lanes.take(at(5)) {
        order.push(message.seq);
        lanes.done("a");
    }
    assert_eq!(order, [1, 2, 4, 5]);
}

#[test]
fn what_was_written_down_comes_before_what_is_new() {
    let mut lanes = Lanes::default();
    lanes.restore(message(1, "a"), 3, Some(at(10)));
    lanes.restore(message(2, "a"), 0, Some(at(10)));
    lanes.push(message(7, "a"));
    assert_eq!((taken(&mut lanes, 0), lanes.failures("a"), lanes.position(7)), (vec![], 3, 7));
    assert_eq!(taken(&mut lanes, 10), [1]);
}

#[test]
fn an_unfinished_message_is_written_down_once_too_many_are_done_behind_it() {
    let mut lanes = lanes(&[(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "d"), (6, "e")]);
    taken(&mut lanes, 0);
    ["b", "c", "d"].into_iter().for_each(|key| lanes.done(key));
    lanes.keep_up(3);
    assert_eq!((lanes.position(6), lanes.take_changes()), (0, (vec![], vec![])), "3 are not too many");
    lanes.keep_up(1);
    let written: Vec<i64> = lanes.take_changes().0.iter().map(|row| row.seq).collect();
    assert_eq!((written, lanes.position(6)), (vec![1], 3), "5 alone is behind 4");
    lanes.keep_up(0);
    assert_eq!(lanes.position(6), 5);
    lanes.failed("a", "no".to_owned(), at(10));
    let waiting: Vec<_> = lanes.take_changes().0.iter().map(|row| (row.seq, row.failures)).collect();
    assert_eq!(waiting, [(1, 1), (4, 0)]);
    assert_eq!(taken(&mut lanes, 10), [1]);
    lanes.done("a");
    assert_eq!(taken(&mut lanes, 10), [4]);
    ["a", "e"].into_iter().for_each(|key| lanes.done(key));
    assert_eq!((lanes.len(), lanes.position(6), lanes.take_changes().1), (0, 6, vec![1, 4]));
}

#[test]
fn what_an_earlier_run_wrote_down_is_not_taken_from_the_outbox_again() {
    let mut lanes = Lanes::resumed(vec![("a".to_owned(), 2)], vec![2, 3, 5]);
    lanes.restore(message(3, "b"), 2, Some(at(0)));
    let outbox = [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "a")];
    outbox.into_iter().for_each(|(seq, key)| lanes.push(message(seq, key)));
    assert_eq!(lanes.len(), 2, "what was done before the dead letter is not dead");
    assert_eq!(taken(&mut lanes, 0), [1, 3]);
    assert_eq!(lanes.failures("b"), 2);
    let buried: Vec<i64> = lanes.take_changes().0.iter().map(|row| row.seq).collect();
    assert_eq!(buried, [4], "the others keep their reasons");
    lanes.died("a", "poison");
    lanes.push(message(6, "a"));
    assert_eq!(lanes.len(), 1);
}
