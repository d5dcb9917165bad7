package dev.branchline

/** The key of this number, for tests. */
internal class Numbered(private val number: Int) : KeyProvider {
    override fun key(): ByteArray = ByteArray(32) { number.toByte() }
}

/** A process that changes a folder's key there and back, and says so once it has begun, to be killed. */
fun main(arguments: Array<String>) {
    val (first, second) = arguments.drop(1).map { Numbered(it.toInt()) }
    val replica = BlockingReplica.open(arguments[0], Config(), first)
    replica.rekey(second)
    println("rekeying")
    System.out.flush()
    while (true) {
        replica.rekey(first)
        replica.rekey(second)
    }
}
