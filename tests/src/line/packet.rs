//! As much of IPv4 and TCP as a router knows: which connection a packet belongs to, and the answer of a router that has
//! forgotten it.

/// Lengths of the headers without options, in bytes.
const IP_HEADER_BYTES: usize = 20;
const TCP_HEADER_BYTES: usize = 20;
const TCP: u8 = 6;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A TCP connection, the same for the packets of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Flow([(u32, u16); 2]);

/// A TCP segment in an IPv4 packet.
pub(super) struct Segment<'a> {
    ip: &'a [u8],
    tcp: &'a [u8],
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl<'a> Segment<'a> {
    /// The segment in a packet; `None` for anything but TCP over IPv4.
    pub(super) fn of(packet: &'a [u8]) -> Option<Self> {
        let header = usize::from(packet.first()? & 0x0f) * 4;
        let whole = packet[0] >> 4 == 4 && header >= IP_HEADER_BYTES && packet.len() >= header + TCP_HEADER_BYTES;
        (whole && packet[9] == TCP).then(|| Self { ip: packet, tcp: &packet[header..] })
    }

    fn ends(&self) -> [(u32, u16); 2] {
        [(u32_at(self.ip, 12), u16_at(self.tcp, 0)), (u32_at(self.ip, 16), u16_at(self.tcp, 2))]
    }

    /// Its connection.
    pub(super) fn flow(&self) -> Flow {
        let mut ends = self.ends();
        ends.sort_unstable();
        Flow(ends)
    }

    fn has(&self, flag: u8) -> bool {
        self.tcp[13] & flag != 0
    }

    /// Whether it opens a connection.
    pub(super) fn opens(&self) -> bool {
        self.has(SYN) && !self.has(ACK)
    }

    /// What its sender hears of a router that knows no such connection; a reset is not answered.
    pub(super) fn reset(&self) -> Option<Vec<u8>> {
        if self.has(RST) {
            return None;
        }
        let [from, to] = self.ends();
        let mut packet = vec![0; IP_HEADER_BYTES + TCP_HEADER_BYTES];
        let length = packet.len() as u16;
        let (ip, tcp) = packet.split_at_mut(IP_HEADER_BYTES);
        ip[0] = 0x45;
        ip[2..4].copy_from_slice(&length.to_be_bytes());
        (ip[8], ip[9]) = (64, TCP);
        ip[12..16].copy_from_slice(&to.0.to_be_bytes());
        ip[16..20].copy_from_slice(&from.0.to_be_bytes());
        let sum = checksum(ip, 0);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        tcp[0..2].copy_from_slice(&to.1.to_be_bytes());
        tcp[2..4].copy_from_slice(&from.1.to_be_bytes());
        // In the place where the sender expects to be answered, else it would not believe it.
        tcp[4..8].copy_from_slice(&self.tcp[8..12]);
        tcp[12] = (TCP_HEADER_BYTES as u8 / 4) << 4;
        tcp[13] = RST;
        let pseudo = u32::from(TCP) + TCP_HEADER_BYTES as u32;
        let addresses = [from.0, to.0].iter().map(|a| (a >> 16) + (a & 0xffff)).sum::<u32>();
        let sum = checksum(tcp, pseudo + addresses);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        Some(packet)
    }
}

/// The checksum of the Internet over an even number of bytes, begun with a sum.
fn checksum(bytes: &[u8], begun: u32) -> u16 {
    let mut sum = begun + bytes.chunks_exact(2).map(|pair| u32::from(u16_at(pair, 0))).sum::<u32>();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 44];
        (packet[0], packet[9]) = (0x45, TCP);
        packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        packet[20..24].copy_from_slice(&[0x1f, 0x90, 0x00, 0x50]);
        packet[28..32].copy_from_slice(&[1, 2, 3, 4]);
        packet[33] = flags;
        packet
    }

    #[test]
    fn both_directions_are_one_flow_and_resets_are_not_answered() {
        let sent = packet(SYN);
        let segment = Segment::of(&sent).unwrap();
        assert!(segment.opens());
        let answer = segment.reset().unwrap();
        let back = Segment::of(&answer).unwrap();
        assert_eq!(back.flow(), segment.flow());
        assert_eq!(
            (&answer[12..20], &answer[24..28]),
            ([10, 0, 0, 2, 10, 0, 0, 1].as_slice(), [1, 2, 3, 4].as_slice())
        );
        assert_eq!((checksum(&answer[..20], 0), back.reset()), (0, None));
        assert!(!Segment::of(&packet(SYN | ACK)).unwrap().opens());
        assert!(Segment::of(&[0x60; 60]).is_none() && Segment::of(&sent[..30]).is_none() && Segment::of(&[]).is_none());
    }
}
