//! Work that is too long for the threads that serve everybody.

use std::future::Future;

use tokio::runtime::Handle;

/// Of 19 steps: it gets a tenth of what each of the others gets, and all that they leave.
#[cfg(target_os = "linux")]
const STEP_BACK: i32 = 10;

/// Runs `work`, of a millisecond and more, on a thread where nobody waits for it but its caller.
///
/// # Panics
/// As `work` does.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Reads what may be very much: a statement blocks the thread that polls it.
pub async fn read_apart<T: Send + 'static>(read: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Handle::current();
    apart(move || runtime.block_on(read)).await
}

/// Lets the other threads of the process go first where processors are what is short: for a thread of one's own that no
/// buyer waits for. For the calling thread and those that it starts, and for good.
pub fn step_back() {
    // Elsewhere it would be for all threads. Where it is not permitted, everything is as it was.
    #[cfg(target_os = "linux")]
    if rustix::process::getpriority_process(None).is_ok_and(|now| now < STEP_BACK) {
        let _refused = rustix::process::setpriority_process(None, STEP_BACK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn one_thread_steps_back_and_no_other() {
        let priority = || rustix::process::getpriority_process(None).expect("it has one");
        let before = priority();
        let after = std::thread::spawn(move || {
            step_back();
            priority()
        });
        assert_eq!(after.join().expect("it does not panic"), before.max(STEP_BACK));
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn others_go_on_meanwhile_and_a_panic_is_the_callers() {
        // On the one thread of this runtime it would wait for itself.
        let (done, go) = std::sync::mpsc::channel();
        let (waited, ()) = tokio::join!(apart(move || go.recv()), async { done.send(7).expect("awaited") });
        assert_eq!(waited, Ok(7));
        assert_eq!(read_apart(async { tokio::task::yield_now().await }).await, ());
        let panicked = tokio::spawn(apart(|| panic!("within"))).await;
        assert!(panicked.expect_err("a panic").is_panic());
    }
}
