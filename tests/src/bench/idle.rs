//! The row of a hub with a thousand idle connections: memory for each.
//!
//! A thousand devices enrol and greet as the protocol says, over plain sockets, so that nothing but the hub is heavy.

use super::Figure;
use super::company::{hub, open};
use super::cpu::resident_bytes;
use crate::peer::{self, Link};
use crate::process::{Node, home};

const CONNECTIONS: usize = 1_000;

/// Memory of a hub for each of a thousand connections on which nothing happens.
pub(super) fn connections() -> Vec<Figure> {
    let home = home();
    let mut serving = Node::new(home.path(), "hub");
    let person = hub(serving.dir(), 0).me().expect("the owner").name;
    serving.serve();
    let replica = open(serving.dir());
    let mut devices = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        devices.push(peer::enrol(&replica, &person, &home.path().join(format!("phone-{number}"))));
    }
    let before = resident_bytes(serving.pid());
    let upstream = replica.identity().device();
    let links: Vec<Link> = devices.iter().map(|device| Link::greeted(serving.url(), device, &upstream)).collect();
    let each = (at_rest(serving.pid()) - before) / links.len() as f64;
    vec![
        Figure::note("MB of the hub before", before / 1e6),
        Figure::at_most("KiB for each of 1,000 idle connections", each / 1024.0, 64.0, 32.0),
    ]
}

// Bytes that a process holds once nothing is given back any more: the allocator keeps what was just freed for a second.
fn at_rest(pid: u32) -> f64 {
    let mut least = resident_bytes(pid);
    let mut quiet = 0;
    while quiet < 10 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = resident_bytes(pid);
        quiet = if now < least { 0 } else { quiet + 1 };
        least = least.min(now);
    }
    least
}
