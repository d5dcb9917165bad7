//! A machine: the process that a company runs there, real but for its network, its clock and its threads.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::serve::Listener;
use branchline_core::net::{Following, Network, Opening, Socket, follow};
use branchline_core::replica::{Environment, Replica};
use branchline_server::server::{Node, accept, router};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use turmoil::net::{TcpListener, TcpStream};

use crate::sim::clock::{BEGINNING, Clockwork};
use crate::sim::small;
use crate::swarm::Trace;

/// Where machines that serve listen.
pub(super) const PORT: u16 = 8787;

/// With this variable set, every move of every connection is printed: what differs between two runs of a seed.
const SAY_TRACE: &str = "BRANCHLINE_TRACE";

/// A machine, whether its process runs or not.
pub(super) struct Machine {
    pub(super) name: &'static str,
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<Clockwork>,
    pub(super) upper: Option<usize>,
    pub(super) serves: bool,
    pub(super) trace: Arc<Mutex<Trace>>,
    /// The folder as its running process has it open.
    replica: Mutex<Option<Replica>>,
    online: AtomicBool,
}

impl Machine {
    pub(super) fn new(
        name: &'static str,
        dir: PathBuf,
        clock: Arc<Clockwork>,
        upper: Option<usize>,
        serves: bool,
        trace: Arc<Mutex<Trace>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            dir,
            clock,
            upper,
            serves,
            trace,
            replica: Mutex::new(None),
            online: AtomicBool::new(false),
        })
    }

    /// The folder while a process runs there.
    pub(super) fn replica(&self) -> Option<Replica> {
        locked(&self.replica).clone()
    }

    /// Whether its upstream has let it in and the line was not lost since, as far as it knows.
    pub(super) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// Its process is gone.
    pub(super) fn forget_process(&self) {
        *locked(&self.replica) = None;
        self.online.store(false, Ordering::Relaxed);
    }

    fn note(&self, what: &str, count: usize) {
        let seen = (self.name, what, count, self.clock.now().0 - BEGINNING);
        if std::env::var_os(SAY_TRACE).is_some() {
            eprintln!("{seen:?}");
        }
        locked(&self.trace).note(seen);
    }

    /// What `branchline serve` or `branchline sync --watch` does.
    pub(super) async fn run(self: Arc<Self>) -> turmoil::Result {
        let replica = Replica::open(&self.dir, small::schema(), self.clock.clone())?;
        *locked(&self.replica) = Some(replica.clone());
        let (stop, stopping) = watch::channel(false);
        if self.serves {
            let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?;
            let listening = Listening { listener, machine: self.clone() };
            let app = router(Node::new(replica.clone(), stopping.clone()));
            tokio::spawn(accept::serve(listening, app, stopping.clone()));
        }
        match self.upper {
            None => std::future::pending::<()>().await,
            Some(_) => {
                let network = Simulated(self.clone());
                follow(replica, &network, stopping, |news| self.hear(&news)).await?;
            }
        }
        drop(stop);
        Ok(())
    }

    fn hear(&self, news: &Following) {
        match news {
            Following::Online => self.online.store(true, Ordering::Relaxed),
            Following::Offline { .. } => self.online.store(false, Ordering::Relaxed),
            Following::Paused | Following::Event(_) => {}
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The simulated network as a machine's client sees it.
struct Simulated(Arc<Machine>);

impl Network for Simulated {
    fn open<'n>(&'n self, host: &'n str, port: u16) -> Opening<'n> {
        Box::pin(async move {
            let socket = TcpStream::connect((host, port)).await?;
            self.0.note("connected", 0);
            Ok(Box::new(Traced { socket, machine: self.0.clone() }) as Box<dyn Socket>)
        })
    }
}

/// The same as its server sees it.
struct Listening {
    listener: TcpListener,
    machine: Arc<Machine>,
}

impl Listener for Listening {
    type Io = Traced;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((socket, peer)) = self.listener.accept().await {
                self.machine.note("accepted", 0);
                return (Traced { socket, machine: self.machine.clone() }, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection of which every move is noted: how much, which way, when. What was said is not: masks and keys of the
/// WebSocket are drawn by its library.
struct Traced {
    socket: TcpStream,
    machine: Arc<Machine>,
}

impl AsyncRead for Traced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.socket).poll_read(context, buffer);
        if done.is_ready() {
            self.machine.note("read", buffer.filled().len() - before);
        }
        done
    }
}

impl AsyncWrite for Traced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.socket).poll_write(context, bytes);
        if let Poll::Ready(written) = &done {
            self.machine.note("wrote", written.as_ref().map_or(usize::MAX, |count| *count));
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
