//! Connections to which a program sends the same messages.
//!
//! There is one lock for the list of members, which is held only to copy or to change the list, and
//! one for each member. No two of them are held at the same time, and none while a task is woken.

use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::SendHalf;
use super::wakers::{Half, Mutex, Wakers, lock};
use crate::connection::sender::control::sent_code;
use crate::connection::{Form, PreparedMessage, Pushed, Role, SendError, SharedBytes, State};
use crate::error::Error;
use crate::frame::{CloseCode, MAX_CONTROL_PAYLOAD};
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, mem};

/// Connections to which you send the same messages: a chat room, a topic, all clients.
///
/// A member is the [`SendHalf`] of a connection. Sending [pushes](SendHalf::push) the message to each
/// member in turn, within one call, without a task or a channel. It does not wait: a member that
/// reads slowly has its [outbox](crate::Config::outbox), whose policy decides for that member alone.
/// A member whose connection has ended leaves the group at the next message. All members send the
/// same bytes, and none of them copies a large payload. The payload of a [`PreparedMessage`] is shared
/// by all outboxes that it waits in.
///
/// The receiving half of each member must be in use: while its task waits for a message, it writes
/// what is left for its member.
///
/// Clones are the same group, and any task can use it. A call takes one write of the transport a
/// member, and runs to its end without a pause: a few microseconds each over TCP. If your group
/// is so large that this keeps other tasks waiting, send in a task of its own, or split the group.
/// Several calls at the same time are fine; each member gets each message whole, but two members may
/// get the messages of two calls in different orders.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use sansocket::{Error, Event, PreparedMessage, on_tokio::{Group, ServerWebSocket}};
///
/// /// `serve(listener, move |websocket, _| chat(room.clone(), websocket))` runs this.
/// async fn chat(room: Group, websocket: ServerWebSocket) -> Result<(), Error> {
///     let (sender, mut receiver) = websocket.split();
///     // Dropping the membership leaves the room.
///     let member = room.join(sender);
///     while let Some(event) = receiver.receive().await {
///         if let Event::Text(text) = event? {
///             room.send_except(member.id(), &PreparedMessage::new(text));
///         }
///     }
///     Ok(())
/// }
/// # let _ = chat;
/// # }
/// ```
#[doc(alias = "broadcast")]
#[doc(alias = "room")]
pub struct Group<S, R: Role, M: Shell<S>>(Arc<Mutex<Members<S, R, M>>>);

struct Members<S, R: Role, M: Shell<S>> {
    /// In the order of their numbers. A call that sends holds on to this list, so that others can
    /// change theirs in the meantime.
    list: Arc<Vec<Arc<Member<S, R, M>>>>,
    /// The number of the last member that joined.
    last: u64,
}

struct Member<S, R: Role, M: Shell<S>> {
    id: MemberId,
    /// Taken when the member leaves.
    half: Mutex<Option<SendHalf<S, R, M>>>,
}

/// The number of a member of one [`Group`]. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

/// What became of a message that was sent to a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The members that get the message: it is written, or waits for its turn.
    pub queued: usize,
    /// The messages that outboxes have dropped for it, or instead of it: see [`Pushed`].
    pub dropped: usize,
    /// The members whose outbox is full and [waits](crate::connection::WhenFull::Wait). They don't get
    /// the message, and stay in the group.
    pub refused: usize,
    /// The members that were too slow, so that their outbox [closes](crate::connection::WhenFull::Close)
    /// the connection. They have left the group.
    pub closed: usize,
    /// The members whose connection had ended or was closing. They have left the group.
    pub gone: usize,
}

/// A place in a group. Dropping it leaves the group, and drops the [`SendHalf`].
#[must_use = "dropping this leaves the group"]
pub struct Membership<S, R: Role, M: Shell<S>> {
    group: Group<S, R, M>,
    id: MemberId,
}

/// The outcome of an act on a member, and the tasks to wake because of it.
type Acted = (Result<Pushed, Error>, Option<Arc<Wakers>>);

impl<S, R: Role, M: Shell<S>> Group<S, R, M> {
    /// Creates a group without members.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Members { list: Arc::default(), last: 0 })))
    }

    /// Adds a connection to the group until the returned value is dropped.
    ///
    /// A connection is in one group at a time, because the group owns its sending half. To send
    /// something to one member alone, use [`send_to`](Self::send_to).
    pub fn join(&self, half: SendHalf<S, R, M>) -> Membership<S, R, M> {
        let half = Mutex::new(Some(half));
        let mut members = lock(&self.0);
        members.last += 1;
        let id = MemberId(members.last);
        Arc::make_mut(&mut members.list).push(Arc::new(Member { id, half }));
        drop(members);
        Membership { group: self.clone(), id }
    }

    /// Returns the number of members. A connection that has ended counts until the next message.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).list.len()
    }

    /// Returns `true` if the group has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends a message to all members, without waiting for any of them.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{PreparedMessage, on_tokio::Group};
    ///
    /// let group: Group = Group::new();
    /// let sent = group.send(&PreparedMessage::new("news"));
    /// assert_eq!((sent.queued, sent.gone), (0, 0));
    /// # }
    /// ```
    pub fn send(&self, message: &PreparedMessage) -> Sent {
        self.send_if(message, |_| true)
    }

    /// Sends a message to all members but one: to the others in a chat room.
    pub fn send_except(&self, member: MemberId, message: &PreparedMessage) -> Sent {
        self.send_if(message, |id| id != member)
    }

    /// Sends a message to the members for which `wanted` returns `true`.
    pub fn send_if(&self, message: &PreparedMessage, wanted: impl FnMut(MemberId) -> bool) -> Sent {
        self.act(wanted, |half| half.push_quietly(Form::Prepared(message), None))
    }

    /// Sends a message to all members. It may take the place of the message with the same key, where
    /// that still waits: see [`SendHalf::push_keyed`].
    pub fn send_keyed(&self, key: u64, message: &PreparedMessage) -> Sent {
        self.act(|_| true, |half| half.push_quietly(Form::Prepared(message), Some(key)))
    }

    /// Sends a message to one member. Returns `None` if that has left.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`SendHalf::push`].
    pub fn send_to(
        &self,
        member: MemberId,
        message: &PreparedMessage,
    ) -> Option<Result<Pushed, Error>> {
        let list = self.list();
        let index = list.binary_search_by_key(&member, |member| member.id).ok()?;
        let (pushed, wakers) =
            list[index].act(|half| half.push_quietly(Form::Prepared(message), None))?;
        wake(wakers);
        Some(pushed)
    }

    /// Sends a ping of at most 125 bytes to all members.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::ControlTooLong`] for a longer payload.
    pub fn ping_all(&self, payload: impl AsRef<[u8]>) -> Result<Sent, SendError> {
        let payload = payload.as_ref();
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong { len: payload.len() });
        }
        Ok(self.act(|_| true, |half| half.ping_quietly(payload)))
    }

    /// Sends a Close to all members, which leave the group. Returns how many connections this has
    /// closed. A connection that joins during this call or later is not closed. The Close of each
    /// follows what it has queued, within its [close timeout](crate::Config::close_timeout); its
    /// receiving half writes it.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{CloseCode, on_tokio::Group};
    ///
    /// # fn shut_down(group: &Group) -> Result<(), sansocket::connection::SendError> {
    /// group.close_all(CloseCode::GOING_AWAY, "maintenance")?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SendError::UnsendableCode`], and does nothing, if `code` may not be sent.
    pub fn close_all(&self, code: CloseCode, reason: &str) -> Result<usize, SendError> {
        sent_code(code)?;
        let list = mem::take(&mut lock(&self.0).list);
        let mut closed = 0;
        for member in &*list {
            let Some(mut half) = member.take() else { continue };
            let is_open = half.state() == State::Open;
            closed += usize::from(half.try_close(code, reason).is_ok() && is_open);
        }
        Ok(closed)
    }

    /// Calls `look` with each member, for example to find out which of them are slow. `look` runs
    /// under the lock of that member, so do not use the group or the member's other half inside it.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # fn report(group: &sansocket::on_tokio::Group) {
    /// group.for_each(|id, member| {
    ///     if member.buffered_amount() > 1 << 20 {
    ///         println!("{id:?} is slow, and has missed {:?}", member.dropped().total());
    ///     }
    /// });
    /// # }
    /// # }
    /// ```
    pub fn for_each(&self, mut look: impl FnMut(MemberId, &SendHalf<S, R, M>)) {
        for member in &*self.list() {
            if let Some(half) = &*lock(&member.half) {
                look(member.id, half);
            }
        }
    }

    /// Returns the number of bytes that wait to be written. A [`PreparedMessage`] that waits in several
    /// outboxes counts once. What has left the outbox of a member counts for that member, even if its
    /// memory is still shared: so this can be much more than the memory that the group takes. For the
    /// memory, ask a [`Budget`](crate::Budget).
    ///
    /// This looks at every message that waits.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        let mut shared = SharedBytes::default();
        let mut bytes = 0;
        self.for_each(|_, half| bytes += half.buffered_amount_with(&mut shared));
        bytes
    }

    /// Acts on each of the wanted members. Those that have ended, or end now, leave the group.
    fn act(
        &self,
        mut wanted: impl FnMut(MemberId) -> bool,
        mut act: impl FnMut(&mut SendHalf<S, R, M>) -> Acted,
    ) -> Sent {
        let list = self.list();
        let (mut sent, mut left) = (Sent::default(), Vec::new());
        M::exempt(|| {
            for member in &*list {
                if !wanted(member.id) {
                    continue;
                }
                let Some((outcome, wakers)) = member.act(&mut act) else { continue };
                wake(wakers);
                if sent.note(outcome) {
                    left.push(member.id);
                    // Dropped only now: this wakes the task of the other half.
                    drop(member.take());
                }
            }
        });
        // Without this copy, the list need not be copied to change it.
        drop(list);
        if !left.is_empty() {
            self.remove(|id| left.binary_search(&id).is_ok());
        }
        sent
    }

    fn remove(&self, mut leaves: impl FnMut(MemberId) -> bool) {
        let mut members = lock(&self.0);
        let list = Arc::make_mut(&mut members.list);
        list.retain(|member| !leaves(member.id));
        if list.len() < list.capacity() / 4 {
            list.shrink_to(2 * list.len());
        }
    }

    fn leave(&self, id: MemberId) -> Option<SendHalf<S, R, M>> {
        let mut members = lock(&self.0);
        let index = members.list.binary_search_by_key(&id, |member| member.id).ok()?;
        let member = Arc::make_mut(&mut members.list).remove(index);
        drop(members);
        member.take()
    }

    fn list(&self) -> Arc<Vec<Arc<Member<S, R, M>>>> {
        Arc::clone(&lock(&self.0).list)
    }
}

impl<S, R: Role, M: Shell<S>> Member<S, R, M> {
    /// Acts on the member, unless it has left.
    fn act<T>(&self, act: impl FnOnce(&mut SendHalf<S, R, M>) -> T) -> Option<T> {
        lock(&self.half).as_mut().map(act)
    }

    fn take(&self) -> Option<SendHalf<S, R, M>> {
        lock(&self.half).take()
    }
}

/// Wakes the task that has to write the rest.
fn wake(wakers: Option<Arc<Wakers>>) {
    if let Some(wakers) = wakers {
        wakers.wake(Half::Receive);
    }
}

impl Sent {
    /// Counts one member. Returns `true` if it leaves the group.
    fn note(&mut self, outcome: Result<Pushed, Error>) -> bool {
        match outcome {
            Ok(Pushed::Queued | Pushed::Replaced) => self.queued += 1,
            Ok(Pushed::DroppedOldest(count)) => {
                self.queued += 1;
                self.dropped += count;
            }
            Ok(Pushed::DroppedNewest) => self.dropped += 1,
            Ok(Pushed::Closed) => {
                self.closed += 1;
                return true;
            }
            // The configuration of the outbox may have an unsendable code.
            Err(Error::Send(error)) if !matches!(error, SendError::Closed { .. }) => {
                self.refused += 1;
            }
            Err(_) => {
                self.gone += 1;
                return true;
            }
        }
        false
    }
}

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// Works like [`push`](Self::push), but wakes nobody: the caller must, if it gets wakers.
    fn push_quietly(&mut self, payload: Form<'_>, key: Option<u64>) -> Acted {
        self.act_quietly(|outgoing| outgoing.push(payload, key))
    }

    fn ping_quietly(&mut self, payload: &[u8]) -> Acted {
        self.act_quietly(|outgoing| {
            let queued = outgoing.try_queue(|sender, output| sender.ping(payload, output));
            (queued.map(|()| Pushed::Queued), true)
        })
    }

    fn act_quietly(
        &mut self,
        act: impl FnOnce(&mut Outgoing<S, R, M>) -> (Result<Pushed, Error>, bool),
    ) -> Acted {
        let mut outgoing = lock(&self.shared.access);
        let ((outcome, has_to_be_written), has_progressed) = outgoing.watch(act);
        drop(outgoing);
        let wakes = has_to_be_written || has_progressed;
        (outcome, wakes.then(|| Arc::clone(&self.shared.wakers)))
    }

    fn buffered_amount_with(&self, shared: &mut SharedBytes) -> usize {
        let outgoing = lock(&self.shared.access);
        let sending = &outgoing.sending;
        sending.queue.len() + sending.sender.waiting_bytes(shared)
    }
}

impl<S, R: Role, M: Shell<S>> Membership<S, R, M> {
    /// Returns the number of the member.
    #[must_use]
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// Leaves the group, and returns the sending half. Returns `None` if the member has left already,
    /// because its connection has ended.
    #[must_use = "this is the sending half of the connection"]
    pub fn leave(self) -> Option<SendHalf<S, R, M>> {
        self.group.leave(self.id)
    }
}

impl<S, R: Role, M: Shell<S>> Drop for Membership<S, R, M> {
    fn drop(&mut self) {
        drop(self.group.leave(self.id));
    }
}

impl<S, R: Role, M: Shell<S>> Clone for Group<S, R, M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S, R: Role, M: Shell<S>> Default for Group<S, R, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, R: Role, M: Shell<S>> fmt::Debug for Group<S, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<S, R: Role, M: Shell<S>> fmt::Debug for Membership<S, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("id", &self.id).finish_non_exhaustive()
    }
}
