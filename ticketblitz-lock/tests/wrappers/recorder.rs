//! Where the metrics of a test go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit,
};

#[derive(Debug, Default)]
pub struct Recorder {
    seen: Arc<Mutex<BTreeMap<Key, u64>>>,
}

impl Recorder {
    /// How often each operation had each outcome.
    pub fn counted(&self) -> BTreeMap<(String, String), u64> {
        let of = |key: &Key| (label(key, "operation"), label(key, "outcome"));
        self.named("seat_lock_operations_total", of)
    }

    /// How many durations of each operation were recorded.
    pub fn timed(&self) -> BTreeMap<String, u64> {
        self.named("seat_lock_operation_duration_seconds", |key| label(key, "operation"))
    }

    fn named<K: Ord>(&self, name: &str, of: impl Fn(&Key) -> K) -> BTreeMap<K, u64> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(key, _)| key.name() == name).map(|(key, count)| (of(key), *count)).collect()
    }
}

fn label(key: &Key, name: &str) -> String {
    key.labels().find(|label| label.key() == name).unwrap().value().to_string()
}

struct Tally {
    key: Key,
    seen: Arc<Mutex<BTreeMap<Key, u64>>>,
}

impl CounterFn for Tally {
    fn increment(&self, value: u64) {
        *self.seen.lock().unwrap().entry(self.key.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.seen.lock().unwrap().insert(self.key.clone(), value);
    }
}

impl HistogramFn for Tally {
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value), "{value} s");
        self.increment(1);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Tally { key: key.clone(), seen: Arc::clone(&self.seen) }))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Tally { key: key.clone(), seen: Arc::clone(&self.seen) }))
    }
}
