//! One connection in several tasks: halves, `Stream` and `Sink`, and groups.

use crate::executors::pair;
use async_executor::LocalExecutor;
use async_io::block_on;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use sansocket::{CloseCode, Config, Message, PreparedMessage, on_futures_io::Group};

const COUNT: usize = 2000;

fn number(index: usize) -> Message {
    Message::text(index.to_string())
}

#[test]
fn two_tasks_send_and_receive() {
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let (client, server) = pair(Config::default()).await;
        let echo = executor.spawn(async move {
            let (mut sender, mut receiver) = server.split();
            while let Some(message) = receiver.next().await {
                sender.send(message.unwrap()).await.unwrap();
            }
            receiver.wait_closed().await
        });
        let (mut sender, mut receiver) = client.split();
        let receiving = executor.spawn(async move {
            for index in 0..COUNT {
                assert_eq!(receiver.next().await.unwrap().unwrap(), number(index));
            }
            receiver
        });
        for index in 0..COUNT {
            sender.send(number(index)).await.unwrap();
        }
        let receiver = receiving.await;
        let mut client = sender.reunite(receiver).unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(client.wait_closed().await.clean);
        assert!(echo.await.clean);
    }));
}

#[test]
fn a_stream_is_forwarded_into_a_sink() {
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let (mut client, server) = pair(Config::default()).await;
        let echo = executor.spawn(async move {
            let (sink, stream) = StreamExt::split(server);
            stream.try_filter(|message| std::future::ready(message.is_text())).forward(sink).await
        });
        for index in 0..COUNT {
            SinkExt::feed(&mut client, number(index)).await.unwrap();
            SinkExt::feed(&mut client, Message::binary(vec![0])).await.unwrap();
        }
        SinkExt::flush(&mut client).await.unwrap();
        for index in 0..COUNT {
            assert_eq!(StreamExt::next(&mut client).await.unwrap().unwrap(), number(index));
        }
        SinkExt::close(&mut client).await.unwrap();
        assert!(StreamExt::next(&mut client).await.is_none());
        echo.await.unwrap();
    }));
}

#[test]
fn a_group_sends_to_all_members() {
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let room = Group::new();
        let mut clients = Vec::new();
        for _ in 0..5 {
            let (client, server) = pair(Config::default()).await;
            let (sender, mut receiver) = server.split();
            let member = room.join(sender);
            let task = executor.spawn(async move {
                while receiver.receive().await.is_some() {}
                drop(member);
            });
            clients.push((client, task));
        }
        for index in 0..COUNT {
            room.send(&PreparedMessage::new(number(index)));
        }
        for (mut client, task) in clients {
            for index in 0..COUNT {
                assert_eq!(client.next().await.unwrap().unwrap(), number(index));
            }
            assert!(client.wait_closed().await.clean);
            task.await;
        }
        assert_eq!(room.len(), 0);
    }));
}
