//! All methods of receiving that the tokio shell has, behind one interface.

use futures_util::StreamExt;
use sansocket::{
    Closed, Error, Event, Message,
    connection::{Cause, Role, Server, TransportEnd},
    on_tokio::WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A method of receiving.
#[derive(Clone, Copy, Debug)]
pub enum By {
    /// Owned messages.
    Next,
    /// Borrowed events.
    Receive,
    /// Events passed to a closure.
    ReceiveWith,
    /// Chunks, which are joined here.
    ReceiveChunk,
    /// The messages of a `Stream`.
    Stream,
}

/// All methods.
pub const WAYS: [By; 5] = [By::Next, By::Receive, By::ReceiveWith, By::ReceiveChunk, By::Stream];

/// Receives until nothing more is reported. Returns the messages and the errors.
pub async fn receive_all<S, R>(socket: &mut WebSocket<S, R>, by: By) -> (Vec<Vec<u8>>, Vec<Error>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Role + Unpin,
{
    let (mut messages, mut errors) = (Vec::new(), Vec::new());
    let mut piece = Vec::new();
    loop {
        assert!(errors.len() < 2, "errors are reported repeatedly: {errors:?}");
        match by {
            By::Next | By::Stream => {
                let received = match by {
                    By::Next => socket.next().await,
                    _ => StreamExt::next(socket).await,
                };
                match received {
                    Some(Ok(message)) => messages.push(message.as_bytes().to_vec()),
                    Some(Err(error)) => errors.push(error),
                    None => break,
                }
            }
            By::Receive => match socket.receive().await {
                Some(Ok((event, _))) => messages.extend(data(event)),
                Some(Err(error)) => errors.push(error),
                None => break,
            },
            By::ReceiveWith => {
                let visited = socket.receive_with(|event, _| {
                    messages.extend(data(event));
                    Ok::<(), Error>(())
                });
                match visited.await {
                    Err(error) => errors.push(error),
                    Ok(()) => break,
                }
            }
            By::ReceiveChunk => match socket.receive_chunk().await {
                Some(Ok((chunk, _))) => {
                    piece.extend(data(chunk.event).into_iter().flatten());
                    if chunk.last && matches!(chunk.event, Event::Text(_) | Event::Binary(_)) {
                        messages.push(std::mem::take(&mut piece));
                    }
                }
                Some(Err(error)) => errors.push(error),
                None => break,
            },
        }
    }
    (messages, errors)
}

fn data(event: Event<'_>) -> Option<Vec<u8>> {
    match event {
        Event::Text(text) => Some(text.as_bytes().to_vec()),
        Event::Binary(data) => Some(data.to_vec()),
        _ => None,
    }
}

/// Returns the end of the connection. It must be the only error reported.
#[track_caller]
pub fn only_end(errors: Vec<Error>) -> Closed {
    match <[Error; 1]>::try_from(errors) {
        Ok([Error::Closed(closed)]) => *closed,
        other => panic!("{other:?}"),
    }
}

/// Asserts that the next item received reports that the connection ended this way.
#[track_caller]
pub fn assert_ended(next: Option<Result<Message, Error>>, how: TransportEnd) {
    match next {
        Some(Err(Error::Closed(closed))) => assert_eq!(closed.cause, Cause::Transport(how)),
        other => panic!("{other:?}"),
    }
}

/// Echoes until the end, which must be a clean one. Returns the number of messages and how the
/// connection ended.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut server: WebSocket<S, Server>,
) -> (u32, Closed) {
    let mut messages = 0;
    let visited = server.receive_with(|event, replies| {
        messages += u32::from(matches!(event, Event::Text(_) | Event::Binary(_)));
        match event {
            Event::Text(text) => replies.try_feed(text),
            Event::Binary(data) => replies.try_feed(data),
            _ => Ok::<(), Error>(()),
        }
    });
    visited.await.unwrap();
    (messages, server.closed().unwrap().clone())
}
