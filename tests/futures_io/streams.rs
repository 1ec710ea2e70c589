//! Long messages and streams of bytes, with the traits of `futures-io`.

use crate::executors::pair;
use async_io::block_on;
use futures_util::{
    AsyncReadExt, AsyncWriteExt,
    future::join,
    io::{Cursor, copy},
};
use sansocket::{CloseCode, Config, connection::MessageKind};

const LEN: usize = 3_000_000;

fn data() -> Vec<u8> {
    (0..LEN).map(|index| (index * 31) as u8).collect()
}

#[test]
fn a_long_message_is_written_and_read_piece_by_piece() {
    block_on(async {
        let (mut client, mut server) = pair(Config::default()).await;
        let write = async {
            let mut writer = client.message_writer(MessageKind::Binary);
            copy(Cursor::new(data()), &mut writer).await.unwrap();
            // What ends the message.
            writer.close().await.unwrap();
            drop(writer);
            client.wait_closed().await
        };
        let read = async {
            let mut reader = server.next_reader().await.unwrap().unwrap();
            let mut received = Vec::new();
            reader.read_to_end(&mut received).await.unwrap();
            assert!(received == data());
            drop(reader);
            assert!(server.next_reader().await.is_none());
        };
        let (closed, ()) = join(write, read).await;
        assert!(closed.clean);
    });
}

/// A part is never taken for the whole.
#[test]
fn a_writer_that_is_dropped_fails_its_reader() {
    block_on(async {
        let (mut client, mut server) = pair(Config::default()).await;
        let write = async {
            let mut writer = client.message_writer(MessageKind::Binary);
            writer.write_all(&[1; 1000]).await.unwrap();
            writer.flush().await.unwrap();
            drop(writer);
            client.wait_closed().await
        };
        let read = async {
            let mut reader = server.next_reader().await.unwrap().unwrap();
            let failed = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(failed.kind(), std::io::ErrorKind::UnexpectedEof);
        };
        let (closed, ()) = join(write, read).await;
        assert_eq!(closed.code, CloseCode::INTERNAL_ERROR);
    });
}

#[test]
fn bytes_pass_in_both_directions() {
    block_on(async {
        let (client, server) = pair(Config::default()).await;
        let talk = async {
            let (mut reader, mut writer) = AsyncReadExt::split(client.into_byte_stream());
            let write = async {
                writer.write_all(&data()).await.unwrap();
                writer.flush().await.unwrap();
            };
            let read = async {
                let mut received = vec![0; LEN];
                reader.read_exact(&mut received).await.unwrap();
                assert!(received == data());
            };
            join(write, read).await;
            writer.close().await.unwrap();
            assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
        };
        let echo = async {
            let (sender, receiver) = server.split();
            let (reader, mut writer) = (receiver.into_byte_reader(), sender.into_byte_writer());
            assert_eq!(copy(reader, &mut writer).await.unwrap(), LEN as u64);
            writer.close().await.unwrap();
        };
        join(talk, echo).await;
    });
}
