//! What the line needs of the Linux kernel: network namespaces, and TUN devices whose packets this process carries.
//!
//! A namespace has no name and no trace outside: it is gone with the last process, thread and file in it.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The system's word on one call.
fn checked(code: libc::c_int) -> io::Result<()> {
    if code == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn own_namespace() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// A network of its own: no address, no route, nothing but what is put into it.
pub(super) struct Namespace(File);

impl Namespace {
    /// Makes one.
    pub(super) fn make() -> io::Result<Self> {
        // In a thread of its own, which ends with the call: nobody else changes his network.
        let made = std::thread::spawn(|| {
            // SAFETY: takes flags alone and concerns only the calling thread.
            checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            own_namespace().map(Self)
        });
        made.join().unwrap_or_else(|_| Err(io::Error::other("the thread of a namespace has panicked")))
    }

    /// Moves this thread, and what it starts, into the namespace until the value goes.
    pub(super) fn enter(&self) -> io::Result<Inside> {
        let before = own_namespace()?;
        // SAFETY: the descriptor is open and of a network namespace; concerns only the calling thread.
        checked(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) })?;
        Ok(Inside { before, _of_this_thread: std::marker::PhantomData })
    }

    /// A new TUN device in the namespace: each read gives one packet that was sent into it, each write lets one out.
    pub(super) fn tun(&self, name: &str) -> io::Result<File> {
        let _inside = self.enter()?;
        let device = File::options().read(true).write(true).open("/dev/net/tun")?;
        let mut request = libc::ifreq {
            ifr_name: [0; libc::IFNAMSIZ],
            ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short },
        };
        // One byte less than there is room for: the kernel wants a zero at the end.
        for (to, byte) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = byte as libc::c_char;
        }
        // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives on.
        checked(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        Ok(device)
    }
}

/// While it lives, its thread is in the namespace; it must not leave the thread.
pub struct Inside {
    before: File,
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        // SAFETY: as in `enter`.
        let back = checked(unsafe { libc::setns(self.before.as_raw_fd(), libc::CLONE_NEWNET) });
        back.expect("a thread may go back to where it was");
    }
}
