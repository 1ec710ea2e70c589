//! tokio's traits for messages and connections as streams of bytes.

use super::shell::Tokio;
use crate::asynchronous::{
    ByteReader, ByteStream, ByteWriter, MessageReader, MessageWriter, Shell,
};
use crate::connection::Role;
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io;

macro_rules! async_read {
    ($reader:ty) => {
        impl<S, R: Role> AsyncRead for $reader
        where
            Tokio: Shell<S>,
        {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let read = Self::poll_read(self.get_mut(), cx, into.initialize_unfilled());
                read.map_ok(|count| into.advance(count))
            }
        }
    };
}

async_read!(MessageReader<'_, S, R, Tokio>);
async_read!(ByteStream<S, R, Tokio>);
async_read!(ByteReader<S, R, Tokio>);

macro_rules! async_write {
    ($writer:ty, $shutdown:ident) => {
        impl<S, R: Role> AsyncWrite for $writer
        where
            Tokio: Shell<S>,
        {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                from: &[u8],
            ) -> Poll<io::Result<usize>> {
                Self::poll_write(self.get_mut(), cx, from)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Self::poll_flush(self.get_mut(), cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Self::$shutdown(self.get_mut(), cx)
            }
        }
    };
}

async_write!(MessageWriter<'_, S, R, Tokio>, poll_finish);
async_write!(ByteStream<S, R, Tokio>, poll_shutdown);
async_write!(ByteWriter<S, R, Tokio>, poll_shutdown);
