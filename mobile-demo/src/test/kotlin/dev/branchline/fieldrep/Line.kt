package dev.branchline.fieldrep

import java.io.InputStream
import java.io.OutputStream
import java.net.ServerSocket
import java.net.Socket
import java.util.Collections
import kotlin.concurrent.thread

/** The line between phones and head office: it can be cut, and it can be slow. */
class Line : AutoCloseable {
    private val entrance = ServerSocket(0, 50, java.net.InetAddress.getLoopbackAddress())
    private val sockets = Collections.synchronizedSet(mutableSetOf<Socket>())

    @Volatile
    private var exit = 0

    /** Whether anything passes. */
    @Volatile
    var up = true
        private set

    /** Bytes a second in each direction; 0 for no bound. */
    @Volatile
    var rate = 0

    /** Bytes that have passed since the beginning, both directions. */
    @Volatile
    var passed = 0L
        private set

    val port: Int get() = entrance.localPort

    init {
        thread(isDaemon = true) {
            while (!entrance.isClosed) runCatching { accept(entrance.accept()) }
        }
    }

    fun to(port: Int) {
        exit = port
    }

    private fun accept(from: Socket) {
        if (!up) {
            from.close()
            return
        }
        val to = Socket(java.net.InetAddress.getLoopbackAddress(), exit)
        sockets += from
        sockets += to
        carry(from.getInputStream(), to.getOutputStream(), from, to)
        carry(to.getInputStream(), from.getOutputStream(), from, to)
    }

    private fun carry(from: InputStream, to: OutputStream, vararg ends: Socket) = thread(isDaemon = true) {
        val bytes = ByteArray(1024)
        runCatching {
            while (true) {
                val count = from.read(bytes)
                if (count < 0) break
                rate.takeIf { it > 0 }?.let { Thread.sleep(count * 1000L / it) }
                to.write(bytes, 0, count)
                to.flush()
                passed += count
            }
        }
        ends.forEach { runCatching { it.close() } }
        sockets -= ends.toSet()
    }

    fun cut() {
        up = false
        synchronized(sockets) { sockets.toList() }.forEach { runCatching { it.close() } }
    }

    fun restore() {
        up = true
    }

    override fun close() {
        entrance.close()
        cut()
    }
}
