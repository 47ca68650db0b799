use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn a_port_in_use_is_a_sentence() {
    let first = bind("127.0.0.1:0".parse().expect("an address")).expect("listens");
    let address = first.local_addr().expect("an address");
    let error = bind(address).expect_err("in use").to_string();
    assert!(error.contains(&address.port().to_string()) && error.contains("--port-offset"), "{error}");
}

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_stop() {
    let (begun, go_on) =
        (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let handler = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        async move || {
            begun.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("listens");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let app = Router::new().route("/", get(handler));
    let server =
        tokio::spawn(serve(listener, app, Limits::new(100, 1_000), stop.clone(), Duration::from_secs(30)));
    let mut client = TcpStream::connect(address).await.expect("connects");
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    begun.notified().await;
    stop.cancel();
    go_on.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer, then the end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    server.await.expect("it ended");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[test]
fn connections_leave_files_for_the_rest() {
    let room = |connections, files| {
        let limits = Limits::new(connections, files);
        (limits.connections, limits.process.available_permits())
    };
    assert_eq!(room(10_000, 1_000_000), (10_000, 999_488));
    assert_eq!(room(10_000, 4_512), (3_000, 4_000), "a quarter is for the other ports");
    assert_eq!(room(10_000, 256), (96, 128), "half of what is there is for the databases");
    assert_eq!(room(10_000, usize::MAX).0, 10_000);
    assert_eq!(room(5, 0).0, 1);
}
