//! Processor time of a process.

use crate::Result;
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};
use std::{fs, io::ErrorKind, thread, time::Duration};

/// The processor time of a server so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessorTime {
    /// The total of all threads, in nanoseconds.
    total: u64,
    user_ticks: u64,
    system_ticks: u64,
}

/// Processor time in a period, in microseconds.
pub(crate) struct Spent {
    pub(crate) total: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl ProcessorTime {
    /// Reads the processor time of an idle server. The server may still be running after its last
    /// reply, and the kernel updates the counters of a running thread only occasionally. So this
    /// reads until the values stop changing.
    pub(crate) fn of_idle(pid: u32) -> Result<Self> {
        let mut last = Self::of(pid)?;
        // Servers with timers are never entirely idle, so limit the number of attempts.
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
            let now = Self::of(pid)?;
            if now == last {
                break;
            }
            last = now;
        }
        if last.total == 0 {
            return Err("this kernel has no /proc/PID/task/*/schedstat; omit --pid".into());
        }
        Ok(last)
    }

    pub(crate) fn since(self, before: Self) -> Spent {
        let ticks = |now: u64, before: u64| {
            now.saturating_sub(before) as f64 * 1e6 / clock_ticks_per_second() as f64
        };
        Spent {
            total: self.total.saturating_sub(before.total) as f64 / 1e3,
            user: ticks(self.user_ticks, before.user_ticks),
            system: ticks(self.system_ticks, before.system_ticks),
        }
    }

    fn of(pid: u32) -> Result<Self> {
        let unreadable = |error: &dyn std::fmt::Display| {
            format!("can't read the processor time of process {pid}: {error}; is --pid right?")
        };
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| unreadable(&error))? {
            let path = task.map_err(|error| unreadable(&error))?.path().join("schedstat");
            match fs::read_to_string(path) {
                Ok(text) => total += first_number(&text).ok_or_else(|| unreadable(&text))?,
                // The thread has ended in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                Err(error) => return Err(unreadable(&error)),
            }
        }
        let stat =
            fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| unreadable(&error))?;
        let (user_ticks, system_ticks) = ticks(&stat).ok_or_else(|| unreadable(&stat))?;
        Ok(Self { total, user_ticks, system_ticks })
    }
}

/// Returns the processor time of this process, in microseconds.
pub(crate) fn own() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Returns fields 14 and 15 of proc_pid_stat(5). Field 2 is a name that may contain spaces and
/// parentheses.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_after_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 120 0 0 0 31 12 0 0 20 0 1 0 100";
        assert_eq!(ticks(stat), Some((31, 12)));
    }

    #[test]
    fn this_process_has_used_processor_time() {
        let time = ProcessorTime::of(std::process::id()).expect("this process is running");
        assert!(time.total > 0);
        assert!(own() > 0.0);
    }
}
