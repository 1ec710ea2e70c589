//! The traits of `futures-io` for messages and connections as streams of bytes.

use super::shell::FuturesIo;
use crate::asynchronous::{
    ByteReader, ByteStream, ByteWriter, MessageReader, MessageWriter, Shell, Timer,
};
use crate::connection::Role;
use ::futures_io::{AsyncRead, AsyncWrite};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io;

macro_rules! async_read {
    ($reader:ty) => {
        impl<S, R: Role, T: Timer + 'static> AsyncRead for $reader
        where
            FuturesIo<T>: Shell<S>,
        {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Self::poll_read(self.get_mut(), cx, into)
            }
        }
    };
}

async_read!(MessageReader<'_, S, R, FuturesIo<T>>);
async_read!(ByteStream<S, R, FuturesIo<T>>);
async_read!(ByteReader<S, R, FuturesIo<T>>);

macro_rules! async_write {
    ($writer:ty, $close:ident) => {
        impl<S, R: Role, T: Timer + 'static> AsyncWrite for $writer
        where
            FuturesIo<T>: Shell<S>,
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

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Self::$close(self.get_mut(), cx)
            }
        }
    };
}

async_write!(MessageWriter<'_, S, R, FuturesIo<T>>, poll_finish);
async_write!(ByteStream<S, R, FuturesIo<T>>, poll_shutdown);
async_write!(ByteWriter<S, R, FuturesIo<T>>, poll_shutdown);
