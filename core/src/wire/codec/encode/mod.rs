//! Collects changes into shapes and columns and writes the batch.

mod tables;

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::id::{ActorId, ChangeHash, RecordId};
use crate::limits::{BATCH_CHANGES_MAX, BATCH_DEPS_MAX, BATCH_INFLATED_BYTES_MAX, BATCH_OPS_MAX};
use crate::wire::chunk::leb::Reader;
use crate::wire::chunk::{
    Chunk, FlatOps, GenesisKind, PREFIX_BYTES, build_genesis, flat_ops, genesis_actor, parse_hashed,
};
use crate::wire::codec::decode::{Receiver, rebuild};
use crate::wire::codec::keys::Key;
use crate::wire::codec::numbers::put_numbers;
use crate::wire::codec::records::drawn_at;
use crate::wire::codec::sections::Sections;
use crate::wire::codec::shape::{CHECK_BYTES, CHECKED_TOGETHER, HEADERLESS, SHAPES_FROM, WHOLE, dep};
use crate::wire::codec::texts::{Nature, TextColumn, put_texts};
use crate::wire::codec::{Origin, Outgoing};
use tables::Tables;

/// Fills one batch.
///
/// Memory: the changes' bytes twice, at most twice [`BATCH_INFLATED_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Encoder {
    level: i32,
    tables: Tables,
    heads: Heads,
    deps: Deps,
    opaque: TextColumn,
    raw: TextColumn,
    hashes: Vec<ChangeHash>,
    value_bytes: usize,
    ops: usize,
}

// One entry for each change.
#[derive(Debug, Default)]
struct Heads {
    shapes: Vec<i64>,
    records: Vec<i64>,
    tx_ends: Vec<i64>,
    actors: Vec<i64>,
    seqs: Vec<i64>,
    start_ops: Vec<i64>,
    times: Vec<i64>,
    dep_counts: Vec<i64>,
}

#[derive(Debug, Default)]
struct Deps {
    kinds: Vec<i64>,
    actors: Vec<i64>,
    seqs: Vec<i64>,
    names: Vec<i64>,
    hashes: Vec<ChangeHash>,
    // Changes of this batch, and what the store said of others.
    known: HashMap<(usize, ChangeHash), (usize, u64)>,
    remembered: usize,
    located: HashMap<(RecordId, ActorId, u64), ChangeHash>,
    // First bytes of the hashes of changes with named dependencies.
    checked: Vec<[u8; CHECK_BYTES]>,
}

impl Encoder {
    /// An empty batch, to be compressed by zstd at this level.
    pub fn new(level: i32) -> Self {
        Self { level, ..Self::default() }
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether so many more changes with so many bytes in all still fit.
    pub fn has_room(&self, changes: usize, raw_bytes: usize) -> bool {
        self.len() + changes <= BATCH_CHANGES_MAX && self.raw.bytes_len() + raw_bytes <= BATCH_INFLATED_BYTES_MAX / 2
    }

    /// About how many bytes the finished batch will have; rather too many.
    pub fn size_estimate(&self) -> usize {
        let tables = 130 * self.tables.bindings.len() + 10 * self.tables.records.len() + 12 * self.tables.columns.len();
        64 + tables + 4 * self.len() + self.value_bytes / 2
    }

    /// Adds a change. An error leaves the batch as it was.
    ///
    /// # Errors
    /// `change_malformed` and `change_limit` for bytes that are no change of this hash, `batch_limit` without
    /// [room](Self::has_room).
    pub fn push(&mut self, change: &Outgoing<'_>, origin: &mut dyn Origin) -> Result<()> {
        if !self.has_room(1, change.raw.len()) {
            return Err(Error::limit("batch-limit").with("part", "changes"));
        }
        let chunk = parse_hashed(change.raw, change.hash)?;
        let collection = self.tables.collection(change.collection, origin);
        let record = self.tables.record(change.record, collection);
        self.heads.records.push(record as i64);
        self.heads.tx_ends.push(i64::from(change.tx_end));
        let few_deps = self.deps.kinds.len() + chunk.deps.len() <= BATCH_DEPS_MAX;
        match ActorId::from_slice(chunk.actor).filter(|_| few_deps) {
            Some(actor) => {
                let actor = self.tables.actor(actor, origin);
                self.push_head(record, actor, &chunk, change, origin);
                self.push_body(record, &chunk, change, origin);
            }
            None => {
                self.push_opaque(WHOLE, change.raw.get(PREFIX_BYTES - 1..).unwrap_or_default());
                self.heads.push_blank();
            }
        }
        self.raw.push(change.raw);
        self.hashes.push(change.hash);
        Ok(())
    }

    fn push_head(
        &mut self,
        record: usize,
        actor: usize,
        chunk: &Chunk<'_>,
        change: &Outgoing<'_>,
        origin: &mut dyn Origin,
    ) {
        self.heads.actors.push(actor as i64);
        self.heads.seqs.push(chunk.seq as i64);
        self.heads.start_ops.push(chunk.start_op as i64);
        self.heads.times.push(chunk.time);
        self.heads.dep_counts.push(chunk.deps.len() as i64);
        let mut named = false;
        if !chunk.deps.is_empty() {
            self.remember();
        }
        for dep in &chunk.deps {
            named |= self.push_dep(record, chunk, dep, origin);
        }
        if named {
            self.deps.checked.push(change.hash.0.first_chunk().copied().unwrap_or_default());
        }
    }

    // Makes the changes of this batch known as dependencies; a batch of creates needs none of them.
    fn remember(&mut self) {
        let Heads { records, actors, seqs, .. } = &self.heads;
        for (((hash, record), actor), seq) in
            self.hashes.iter().zip(records).zip(actors).zip(seqs).skip(self.deps.remembered)
        {
            // A change that travels whole has no sequence here.
            if *seq > 0 {
                self.deps.known.insert((*record as usize, *hash), (*actor as usize, *seq as u64));
            }
        }
        self.deps.remembered = self.hashes.len();
    }

    // Whether the dependency travels as actor and sequence.
    fn push_dep(&mut self, record: usize, chunk: &Chunk<'_>, hash: &ChangeHash, origin: &mut dyn Origin) -> bool {
        if let Some((actor, seq)) = self.deps.known.get(&(record, *hash)) {
            self.deps.push_named(*actor, *seq);
            return true;
        }
        // A genesis shows by its long actor, and then asking the store first would be in vain.
        let likely = chunk.other_actors.iter().any(|actor| actor.len() != ActorId::LEN);
        if likely && self.push_genesis_dep(record, hash) {
            return false;
        }
        let Some((id, _)) = self.tables.records.get(record).copied() else { return false };
        if let Some((actor, seq)) = origin.locate(&id, hash) {
            self.deps.located.insert((id, actor, seq), *hash);
            let actor = self.tables.actor(actor, origin);
            self.deps.push_named(actor, seq);
            return true;
        }
        if likely || !self.push_genesis_dep(record, hash) {
            self.deps.kinds.push(dep::HASH);
            self.deps.hashes.push(*hash);
        }
        false
    }

    fn push_genesis_dep(&mut self, record: usize, hash: &ChangeHash) -> bool {
        let found = self.tables.genesis_fields(record).iter().find_map(|(id, field, kind)| {
            let genesis = build_genesis(*kind, &genesis_actor(id, field), field);
            (genesis.1 == *hash).then(|| (field.to_string(), *kind))
        });
        let Some((field, kind)) = found else { return false };
        self.deps.kinds.push(match kind {
            GenesisKind::Text => dep::TEXT_GENESIS,
            GenesisKind::Counter => dep::COUNTER_GENESIS,
        });
        let name = self.tables.name(&field);
        self.deps.names.push(name as i64);
        true
    }

    fn push_body(&mut self, record: usize, chunk: &Chunk<'_>, change: &Outgoing<'_>, origin: &mut dyn Origin) {
        let fits = |ops: &FlatOps<'_>| self.ops + size(ops) <= BATCH_OPS_MAX;
        let shaped = flat_ops(chunk).filter(fits).and_then(|ops| {
            let texts = self.tables.text_columns(record, &ops)?;
            let actors = self.tables.pred_actors(record, &ops, origin)?;
            let shape = self.tables.shape(&ops, texts)?;
            Some((ops, actors, shape))
        });
        let Some((ops, actors, shape)) = shaped else {
            self.push_opaque(HEADERLESS, after_time(change.raw).unwrap_or_default());
            return;
        };
        self.heads.shapes.push((shape + SHAPES_FROM) as i64);
        self.ops += size(&ops);
        self.value_bytes += chunk.column(crate::wire::chunk::spec::VALUE).len() + ops.root.len() / 2;
        let Some(shape) = self.tables.shapes.get(shape) else { return };
        let mut actors = actors.into_iter();
        for (op, place) in ops.root.iter().zip(&shape.ops) {
            if let Some((_, _, values)) = self.tables.columns.get_mut(place.column) {
                values.push(&op.value);
                if let Some(item) = Key::split(op.key).and_then(|key| key.item()) {
                    values.items.push(item.as_bytes());
                }
                values.pred_ctrs.extend(op.preds.iter().map(|pred| pred.ctr as i64));
                values.pred_actors.extend(actors.by_ref().take(op.preds.len()));
            }
        }
        for (text, column) in ops.texts.iter().zip(&shape.texts) {
            if let Some((_, _, values)) = self.tables.columns.get_mut(*column) {
                values.texts.push(text.text.as_bytes());
            }
        }
    }

    fn push_opaque(&mut self, how: usize, bytes: &[u8]) {
        self.heads.shapes.push(how as i64);
        self.opaque.push(bytes);
        self.value_bytes += 2 * bytes.len();
    }

    /// Writes the batch, after decoding it once to see that every change comes back byte for byte.
    ///
    /// # Errors
    /// `batch_compression` when zstd fails.
    pub fn finish(self) -> Result<Vec<u8>> {
        let frame = self.sections().seal(self.level)?;
        if self.comes_back(&frame) {
            return Ok(frame);
        }
        // A fault of this codec must not become a fault of the data.
        self.whole().sections().seal(self.level)
    }

    fn comes_back(&self, frame: &[u8]) -> bool {
        let mut lookup =
            |record: &RecordId, actor: &ActorId, seq| self.deps.located.get(&(*record, *actor, seq)).copied();
        let mut comparison = Comparison { sent: &self.raw, hashes: &self.hashes, same: 0 };
        rebuild(frame, &mut lookup, &mut comparison).is_ok() && comparison.same == self.len()
    }

    // The same changes, none of them taken apart.
    fn whole(&self) -> Self {
        let mut whole = Self { level: self.level, ..Self::default() };
        whole.tables = self.tables.without_shapes();
        whole.heads.records = self.heads.records.clone();
        whole.heads.tx_ends = self.heads.tx_ends.clone();
        for raw in self.raw.iter() {
            whole.push_opaque(WHOLE, raw.get(PREFIX_BYTES - 1..).unwrap_or_default());
            whole.heads.push_blank();
        }
        whole.hashes = self.hashes.clone();
        whole
    }

    fn sections(&self) -> Sections {
        let mut sections = Sections::default();
        sections.number(self.len());
        sections.number(self.raw.bytes_len());
        self.tables.put(&mut sections);
        self.heads.put(&mut sections, &self.tables.records);
        self.deps.put(&mut sections);
        for (_, kind, values) in &self.tables.columns {
            put_numbers(&mut sections, &values.pred_actors);
            put_numbers(&mut sections, &values.pred_ctrs);
            put_texts(&mut sections, &values.items, Nature::Text);
            match kind.nature() {
                Some(nature) => put_texts(&mut sections, &values.texts, nature),
                None => put_numbers(&mut sections, &values.numbers),
            }
        }
        put_texts(&mut sections, &self.opaque, Nature::Text);
        sections
    }
}

impl Heads {
    fn push_blank(&mut self) {
        self.actors.push(0);
        self.seqs.push(0);
        self.start_ops.push(0);
        self.times.push(0);
        self.dep_counts.push(0);
    }

    fn put(&self, sections: &mut Sections, records: &[(RecordId, usize)]) {
        for column in [&self.shapes, &self.records, &self.tx_ends, &self.actors, &self.seqs, &self.start_ops] {
            put_numbers(sections, column);
        }
        // Where records are created their ids were drawn a moment before: then the difference is the smaller number.
        let drawn: Vec<i64> = records.iter().map(|(id, _)| drawn_at(id).unwrap_or_default()).collect();
        let since_drawn: Vec<i64> = self
            .times
            .iter()
            .zip(&self.records)
            .map(|(time, record)| time.wrapping_sub(drawn.get(*record as usize).copied().unwrap_or_default()))
            .collect();
        let mut plain = Sections::default();
        put_numbers(&mut plain, &self.times);
        let mut since = Sections::default();
        put_numbers(&mut since, &since_drawn);
        let shorter = since.len() < plain.len();
        sections.number(usize::from(shorter));
        sections.append(if shorter { since } else { plain });
        put_numbers(sections, &self.dep_counts);
    }
}

impl Deps {
    fn push_named(&mut self, actor: usize, seq: u64) {
        self.kinds.push(dep::NAMED);
        self.actors.push(actor as i64);
        self.seqs.push(seq as i64);
    }

    fn put(&self, sections: &mut Sections) {
        for column in [&self.kinds, &self.actors, &self.seqs, &self.names] {
            put_numbers(sections, column);
        }
        self.hashes.iter().for_each(|hash| sections.bits.extend_from_slice(&hash.0));
        for group in self.checked.chunks(CHECKED_TOGETHER) {
            let check = group.iter().fold(0, |check, first| check ^ u32::from_le_bytes(*first));
            sections.bits.extend_from_slice(&check.to_le_bytes());
        }
    }
}

// What a flat change takes of [`BATCH_OPS_MAX`].
fn size(ops: &FlatOps<'_>) -> usize {
    ops.root.iter().map(|op| 1 + op.preds.len()).sum::<usize>() + ops.texts.len()
}

// What follows the time in a chunk: message, other actors, columns.
fn after_time(raw: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(raw.get(PREFIX_BYTES..)?);
    reader.unsigned()?;
    let deps = usize::try_from(reader.unsigned()?).ok()?;
    reader.take(deps.checked_mul(ChangeHash::LEN)?)?;
    reader.prefixed()?;
    reader.unsigned()?;
    reader.unsigned()?;
    reader.signed()?;
    Some(reader.rest())
}

// Holds rebuilt changes against those that were pushed.
struct Comparison<'a> {
    sent: &'a TextColumn,
    hashes: &'a [ChangeHash],
    same: usize,
}

impl Receiver for Comparison<'_> {
    fn change(&mut self, index: usize, _: usize, _: bool, rebuilt: &mut Vec<u8>, start: usize) -> ChangeHash {
        let sent = self.sent.value(index);
        // All but the checksum, which the hash decides.
        let raw = rebuilt.get(start..).unwrap_or_default();
        if raw.len() == sent.len() && raw.get(..4) == sent.get(..4) && raw.get(8..) == sent.get(8..) {
            self.same += 1;
        }
        rebuilt.truncate(start);
        self.hashes.get(index).copied().unwrap_or_default()
    }

    fn missing(&mut self, _: usize, _: usize, _: bool) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::wire::chunk::{Action, NewChange, RootOp, Scalar, build};
    use crate::wire::codec::Binding;
    use crate::wire::codec::decode;

    struct Nothing;
    impl Origin for Nothing {
        fn binding(&mut self, _: &ActorId) -> Option<Binding> {
            None
        }
        fn locate(&mut self, _: &RecordId, _: &ChangeHash) -> Option<(ActorId, u64)> {
            None
        }
        fn genesis_fields(&mut self, _: &str) -> Vec<(String, GenesisKind)> {
            Vec::new()
        }
    }

    fn filled() -> (Encoder, Vec<Vec<u8>>) {
        let mut encoder = Encoder::new(3);
        let mut raws = Vec::new();
        for i in 0..20u8 {
            let ops = [RootOp { key: "name", action: Action::Set, value: Scalar::Int(i.into()), preds: vec![] }];
            let new = NewChange { deps: &[], actor: &[2; 8], seq: 1, start_op: 1, time: 7, ops: &ops, texts: &[] };
            let (raw, hash) = build(&new);
            let record = RecordId([i; 16]);
            encoder
                .push(&Outgoing { record, collection: "account", raw: &raw, hash, tx_end: i % 3 == 0 }, &mut Nothing)
                .unwrap();
            raws.push(raw);
        }
        (encoder, raws)
    }

    #[test]
    fn changes_sent_whole_come_back_too() {
        let (encoder, raws) = filled();
        let frame = encoder.whole().sections().seal(3).unwrap();
        let decoded = decode(&frame, &mut |_, _, _| None).unwrap();
        let back: Vec<&[u8]> = decoded.changes.iter().map(|change| decoded.raw(change)).collect();
        assert_eq!(back, raws);
        assert!(decoded.changes.iter().all(|change| change.tx_end == (change.index % 3 == 0)));
        assert!(frame.len() > encoder.finish().unwrap().len());
    }

    #[test]
    fn a_batch_that_does_not_give_the_changes_back_is_noticed() {
        let (mut encoder, _) = filled();
        assert!(encoder.comes_back(&encoder.sections().seal(3).unwrap()));
        encoder.heads.times[4] += 1;
        assert!(!encoder.comes_back(&encoder.sections().seal(3).unwrap()));
        let frame = encoder.finish().unwrap();
        assert_eq!(decode(&frame, &mut |_, _, _| None).unwrap().changes.len(), 20);
    }
}
