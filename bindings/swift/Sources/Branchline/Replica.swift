import Dispatch

/// A replica: one folder of the app, with everything that its person may hold, readable and writable without a network.
///
/// Every function works on a queue of the replica, never on the caller's thread. Every failure is a `ReplicaError`.
public final class Replica: @unchecked Sendable {
    /// The same calls without concurrency, for threads of one's own.
    public let blocking: BlockingReplica
    private let queue = DispatchQueue(label: "dev.branchline.replica", attributes: .concurrent)
    private let watched = Watched()

    public init(_ blocking: BlockingReplica) {
        self.blocking = blocking
    }

    deinit {
        close()
    }

    /// Opens the replica in a folder, an encrypted one with its key.
    public static func open(path: String, config: Config = Config(), keys: KeyProvider? = nil) async throws -> Replica {
        try await begin { try BlockingReplica.open(path: path, config: config, keys: keys) }
    }

    /// Enrols: makes a folder a replica under the upstream that gave this invitation code.
    public static func join(
        path: String, code: String, config: Config = Config(), keys: KeyProvider? = nil
    ) async throws -> Replica {
        try await begin { try BlockingReplica.join(path: path, code: code, config: config, keys: keys) }
    }

    /// Has another key open the folder from now on. Keep both keys until it has returned.
    public func rekey(_ keys: KeyProvider) async throws {
        try await run { try $0.rekey(keys: keys) }
    }

    /// Closes it: watches and exchanges end, calls that run finish. Closing twice is no error.
    public func close() {
        blocking.shut()
        watched.endAll()
    }

    /// Any call of the blocking replica, on a queue of this one: `try await replica.run { try $0.list(query: query) }`.
    public func run<T>(_ call: @escaping (BlockingReplica) throws -> T) async throws -> T {
        let blocking = self.blocking
        return try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try call(blocking) }) }
        }
    }

    public func create(_ collection: String, _ values: [String: Value]) async throws -> String {
        try await run { try $0.create(collection: collection, values: values) }
    }

    public func set(_ collection: String, _ record: String, _ values: [String: Value]) async throws {
        let edits = values.map { Edit.set(field: $0.key, value: $0.value) }
        try await run { try $0.edit(collection: collection, record: record, edits: edits) }
    }

    public func get(_ collection: String, _ record: String) async throws -> Record {
        try await run { try $0.get(collection: collection, record: record) }
    }

    public func list(_ query: Query) async throws -> Page {
        try await run { try $0.list(query: query) }
    }

    /// The result of a query, now and whenever it has changed, until the replica is closed; a slow reader gets the newest one.
    public func watch(_ query: Query) -> AsyncThrowingStream<Page, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let blocking = self.blocking
            let watched = self.watched
            queue.async {
                let place = watched.add { continuation.finish() }
                do {
                    let watch = try blocking.watch(query: query, listener: Pages(continuation))
                    continuation.onTermination = { _ in
                        watch.stop()
                        watched.remove(place)
                    }
                } catch {
                    watched.remove(place)
                    continuation.finish(throwing: error)
                }
            }
        }
    }

    /// Keeps the upstream link while the stream is read, and gives its state.
    public func sync() -> AsyncThrowingStream<SyncStatus, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let blocking = self.blocking
            queue.async {
                do {
                    let link = try blocking.startSync(listener: Statuses(continuation))
                    continuation.onTermination = { _ in link.stop() }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
        }
    }

    /// One exchange, for BGTaskScheduler: cancel the `Task` that waits for it in the expiration handler, and it stops cleanly.
    public func runOnce(deadlineMs: UInt64) async throws -> Exchange {
        try Task.checkCancellation()
        return try await withTaskCancellationHandler {
            try await run { try $0.runOnce(deadlineMs: deadlineMs, listener: nil) }
        } onCancel: {
            blocking.interrupt()
        }
    }

    private static func begin(_ open: @escaping () throws -> BlockingReplica) async throws -> Replica {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { Replica(try open()) }) }
        }
    }
}

/// How the open watches of a replica are ended.
private final class Watched: @unchecked Sendable {
    private let queue = DispatchQueue(label: "dev.branchline.replica.watched")
    private var ends: [Int: () -> Void] = [:]
    private var next = 0

    func add(_ end: @escaping () -> Void) -> Int {
        queue.sync { () -> Int in
            next += 1
            ends[next] = end
            return next
        }
    }

    func remove(_ place: Int) {
        queue.sync { ends[place] = nil }
    }

    // An end removes itself: none is called on the queue.
    func endAll() {
        let open = queue.sync { Array(ends.values) }
        open.forEach { $0() }
    }
}

private final class Pages: PageListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<Page, Error>.Continuation

    init(_ continuation: AsyncThrowingStream<Page, Error>.Continuation) {
        self.continuation = continuation
    }

    func changed(page: Page) throws {
        continuation.yield(page)
    }

    // The watch goes on; the next result that can be read arrives.
    func failed(problem: Problem) throws {}
}

private final class Statuses: SyncListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<SyncStatus, Error>.Continuation

    init(_ continuation: AsyncThrowingStream<SyncStatus, Error>.Continuation) {
        self.continuation = continuation
    }

    func changed(status: SyncStatus) throws {
        continuation.yield(status)
        if status.phase == .stopped || status.phase == .ended {
            continuation.finish()
        }
    }
}
