import Foundation

/// An amount of money: exact, and its currency.
public struct Money: Equatable, Hashable, Sendable {
    public let amount: String
    public let currency: String

    public init(amount: String, currency: String) {
        self.amount = amount
        self.currency = currency
    }
}

/// A place on earth, in degrees.
public struct Location: Equatable, Hashable, Sendable {
    public let latitude: Double
    public let longitude: Double

    public init(latitude: Double, longitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
    }
}

/// A record of a built-in collection with typed fields: read from a `Record`, or new. A field that was set here reads as it
/// was set, and is written by `Replica.save`; nil leaves it empty. The workspace's own fields are in the record itself.
open class Typed {
    /// The record that this was read from.
    public let record: Record?
    /// The fields that were set here.
    public private(set) var changes: [String: Value] = [:]

    public required init(_ record: Record? = nil) {
        self.record = record
    }

    /// The name of the collection.
    public class var collectionName: String { "" }

    final func read<T>(_ field: String, _ kind: (Value) -> T?) -> T? {
        let held = changes[field] ?? record?.fields.first { $0.name == field }?.value
        return held.flatMap(kind)
    }

    final func write(_ field: String, _ value: Value?) {
        changes[field] = value ?? .empty
    }
}

/// How the fields of each type are read and written.
enum Kinds {
    struct Kind<T> {
        let read: (Value) -> T?
        let write: (T) -> Value
    }

    static let text = Kind<String>(
        read: { if case let .text(text) = $0 { return text } else { return nil } }, write: { .text(text: $0) })
    static let integer = Kind<Int64>(
        read: { if case let .integer(number) = $0 { return number } else { return nil } }, write: { .integer(number: $0) })
    static let decimal = Kind<Decimal>(
        read: { if case let .decimal(number) = $0 { return Decimal(string: number) } else { return nil } },
        write: { .decimal(number: "\($0)") })
    static let money = Kind<Money>(
        read: { if case let .money(amount, currency) = $0 { return Money(amount: amount, currency: currency) } else { return nil } },
        write: { .money(amount: $0.amount, currency: $0.currency) })
    static let boolean = Kind<Bool>(
        read: { if case let .boolean(yes) = $0 { return yes } else { return nil } }, write: { .boolean(yes: $0) })
    static let date = Kind<String>(
        read: { if case let .date(day) = $0 { return day } else { return nil } }, write: { .date(day: $0) })
    static let instant = Kind<Int64>(
        read: { if case let .instant(ms) = $0 { return ms } else { return nil } }, write: { .instant(ms: $0) })
    static let reference = Kind<String>(
        read: { if case let .reference(id, _) = $0 { return id } else { return nil } },
        write: { .reference(id: $0, label: nil) })
    static let items = Kind<[String]>(
        read: { if case let .set(items) = $0 { return items.map(\.value) } else { return nil } },
        write: { .set(items: $0.map { Item(value: $0, label: nil) }) })
    static let lines = Kind<[Line]>(
        read: { if case let .lines(lines) = $0 { return lines } else { return nil } }, write: { .lines(lines: $0) })
    static let attachment = Kind<Attachment>(
        read: { if case let .attachment(file) = $0 { return file } else { return nil } }, write: { .attachment(file: $0) })
    static let location = Kind<Location>(
        read: { if case let .location(latitude, longitude) = $0 { return Location(latitude: latitude, longitude: longitude) } else { return nil } },
        write: { .location(latitude: $0.latitude, longitude: $0.longitude) })
}

extension Replica {
    /// Writes what was set: to the record that it was read from, or as a new one. Gives the record's id.
    public func save(_ card: Typed) async throws -> String {
        let collection = type(of: card).collectionName
        guard let record = card.record else { return try await create(collection, card.changes) }
        if !card.changes.isEmpty { try await set(collection, record.id, card.changes) }
        return record.id
    }

    /// A part of a list with typed fields: `try await replica.list(query, as: Account.self)`.
    public func list<T: Typed>(_ query: Query, as kind: T.Type) async throws -> [T] {
        try await list(query).records.map { kind.init($0) }
    }
}
