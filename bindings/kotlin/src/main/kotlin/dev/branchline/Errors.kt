package dev.branchline

/** What happened, in the replica's language. */
val ReplicaException.what: String get() = problem().what

/** Where it happened: a field, a row, an address; empty where [what] says it. */
val ReplicaException.place: String get() = problem().place

/** What to do next, in the replica's language. */
val ReplicaException.toDo: String get() = problem().toDo

/** Whether the same call can succeed later by itself. */
val ReplicaException.retryable: Boolean get() = problem().retryable

/** For programs; never translated, never changes. */
val ReplicaException.code: String get() = problem().code

/** The whole of it as one value, for instance to show it later. */
fun ReplicaException.problem(): Problem = when (this) {
    is ReplicaException.Invalid -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.NotFound -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Ambiguous -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Denied -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Usage -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Unreachable -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Protocol -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Refused -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Storage -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Corrupt -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Locked -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Version -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Limit -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Busy -> Problem(what, place, toDo, retryable, code)
    is ReplicaException.Fault -> Problem(what, place, toDo, retryable, code)
}
