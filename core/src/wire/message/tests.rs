//! What comes back of each message, what damaged frames give, and the bytes of version 1, which never change.

use super::*;

fn returned(record: RecordId) -> ReturnedChange {
    let (code, detail) = ("denied".into(), "no".into());
    ReturnedChange { record, collection: "c".into(), hash: ChangeHash([2; 32]), code, detail, raw: vec![0xab] }
}

fn one_of_each() -> Vec<Message> {
    let id = RecordId([7; 16]);
    vec![
        Message::Hello(Hello {
            device: DeviceId([1; 8]),
            signature: [2; 64],
            epoch: 0x0403_0201,
            position: vec![3; 53],
            witness: vec![],
            outbox: 300,
        }),
        Message::Welcome(Welcome { now: Millis(1_700_000_000_000), epoch: 9, quiet: true }),
        Message::Enrol(Enrol { secret: [1; 16], public_key: [2; 32], signature: [3; 64] }),
        Message::Enrolled(Enrolled {
            workspace: WorkspaceId([1; 16]),
            workspace_name: "Караван".into(),
            currency: "UAH".into(),
            language: "uk".into(),
            branch: true,
            certificate: vec![1, 2, 3],
        }),
        Message::Batch(Batch {
            number: 1,
            position: vec![5; 40],
            done: 10,
            total: 200,
            last: false,
            purge: vec![id],
            resets: vec![Reset {
                record: id,
                heads: vec![ChangeHash([1; 32])],
                refused: vec![Retracted { hash: ChangeHash([2; 32]), code: "denied".into(), detail: "no".into() }],
            }],
            verdicts: vec![Verdict {
                record: id,
                change: ChangeHash([3; 32]),
                outcome: Outcome::Accepted,
                by: id,
                at: Millis(1_700_000_000_000),
            }],
            changes: vec![9; 20],
        }),
        Message::Got { number: 1 },
        Message::Push { number: 2, changes: vec![1, 2] },
        Message::Ack(Ack {
            number: 2,
            digest: [4; 16],
            witness: vec![6; 40],
            refused: vec![RefusedChange { index: 1, code: "denied".into(), detail: "no right".into() }],
        }),
        Message::Want { records: vec![id, id] },
        Message::Alive { outbox: 0, complete_through: Some(Millis(5)) },
        Message::BlobOffer { hash: BlobHash([1; 32]), size: 10 },
        Message::BlobWant { hash: BlobHash([1; 32]), offset: 5 },
        Message::BlobChunk { hash: BlobHash([1; 32]), offset: 5, size: 10, bytes: vec![1; 5] },
        Message::Failure(Failure { code: "revoked".into(), retryable: false }),
        Message::Grant(Grant { role: "seller".into(), scopes: vec!["workspace".into(), "shared".into()] }),
        Message::Compare(Compare { want: vec![[1; 32], [2; 32]], round: vec![0x61, 0] }),
        Message::Compared { round: vec![0x61] },
        Message::Introduce { certificate: vec![1, 2, 3] },
        Message::Returned { changes: vec![returned(id)] },
    ]
}

#[test]
fn every_message_comes_back() {
    for message in one_of_each() {
        assert_eq!(Message::decode(&message.encode()).unwrap(), message);
    }
}

#[test]
fn truncated_and_lengthened_frames_are_errors_or_other_messages_but_never_panic() {
    for message in one_of_each() {
        let frame = message.encode();
        for end in 0..frame.len() {
            let _ = Message::decode(frame.get(..end).unwrap());
        }
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut changed = frame.clone();
                *changed.get_mut(at).unwrap() ^= 1 << bit;
                let _ = Message::decode(&changed);
            }
        }
    }
    assert_eq!(Message::decode(&[]).unwrap_err().code(), "malformed_message");
    assert_eq!(Message::decode(&[99]).unwrap_err().code(), "unknown_message_kind");
    assert_eq!(Message::decode(&vec![7; FRAME_BYTES_MAX + 1]).unwrap_err().code(), "frame_too_large");
}

/// Version 1 is on the wire of other people's replicas: these bytes never change.
#[test]
fn golden_frames_of_version_1() {
    let hex = |m: &Message| data_encoding::HEXLOWER.encode(&m.encode());
    assert_eq!(hex(&Message::Got { number: 300 }), "06ac02");
    assert_eq!(hex(&Message::Alive { outbox: 2, complete_through: Some(Millis(5)) }), "0a02010a");
    assert_eq!(
        hex(&Message::Welcome(Welcome { now: Millis(1_700_000_000_000), epoch: 9, quiet: true })),
        "0280a0abfef962".to_owned() + "09000000" + "01"
    );
    assert_eq!(hex(&Message::Failure(Failure { code: "revoked".into(), retryable: false })), "0f077265766f6b656400");
    assert_eq!(hex(&Message::Push { number: 1, changes: vec![0xab] }), "0701ab");
    let grant = Grant { role: "seller".into(), scopes: vec!["workspace".into()] };
    assert_eq!(hex(&Message::Grant(grant)), "1006".to_owned() + "73656c6c6572" + "0109" + "776f726b7370616365");
    let compare = Compare { want: vec![[3; 32]], round: vec![0x61, 0x00] };
    assert_eq!(hex(&Message::Compare(compare)), "1101".to_owned() + &"03".repeat(32) + "6100");
    assert_eq!(hex(&Message::Compared { round: vec![0x61] }), "1261");
    assert_eq!(hex(&Message::Introduce { certificate: vec![0xab] }), "13ab");
    let given_back = Message::Returned { changes: vec![returned(RecordId([1; 16]))] };
    let (one, two) = ("01".repeat(16), "02".repeat(32));
    assert_eq!(hex(&given_back), format!("1401{one}0163{two}0664656e696564026e6f01ab"));
    let (record, change) = (RecordId([1; 16]), ChangeHash([2; 32]));
    let refused = vec![Retracted { hash: change, code: "c".into(), detail: "d".into() }];
    let verdict = Verdict { record, change, outcome: Outcome::Retried, by: RecordId([3; 16]), at: Millis(5) };
    let batch = Batch {
        number: 1,
        resets: vec![Reset { record, heads: vec![change], refused }],
        verdicts: vec![verdict],
        changes: vec![0xab],
        ..Batch::default()
    };
    let three = "03".repeat(16);
    let reset = format!("01{one}01{two}01{two}01630164");
    let verdict = format!("01{one}{two}02{three}0a");
    assert_eq!(hex(&Message::Batch(batch)), format!("05010000000000{reset}{verdict}ab"));
}
