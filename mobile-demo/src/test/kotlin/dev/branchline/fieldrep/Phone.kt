package dev.branchline.fieldrep

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import android.view.InputDevice
import android.view.KeyCharacterMap
import android.view.KeyEvent
import android.view.MotionEvent
import android.view.PixelCopy
import android.view.View
import android.view.ViewGroup
import android.view.WindowManager
import android.view.WindowManagerGlobal
import android.widget.TextView
import java.io.File
import java.time.Duration
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/**
 * A phone in a person's hand: it is touched and typed on, and looked at. Screens that the app opens come to the front as
 * the system would bring them, and what they give back is delivered.
 */
class Phone(qualifiers: String = "") : AutoCloseable {
    private class Shown(val controller: ActivityController<out Activity>, val request: Int)

    private val stack = ArrayDeque<Shown>()

    /** What the app has asked of other apps: to dial, to write, to show a map, to take a picture. */
    val outside = mutableListOf<Intent>()

    init {
        if (qualifiers.isNotEmpty()) RuntimeEnvironment.setQualifiers(qualifiers)
    }

    val app: TestFieldRep get() = RuntimeEnvironment.getApplication() as TestFieldRep
    val activity: Activity get() = stack.last().controller.get()

    fun open(screen: Class<out Activity>, intent: Intent? = null): Phone {
        push(screen, intent ?: Intent(app, screen), NO_RESULT)
        settle()
        return this
    }

    private fun push(screen: Class<out Activity>, intent: Intent, request: Int) {
        stack.lastOrNull()?.controller?.pause()
        val controller = Robolectric.buildActivity(screen, intent)
        stack.addLast(Shown(controller, request))
        controller.setup()
    }

    /** Lets the app do what is due now, as far as it needs nobody else. */
    fun settle() {
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(FRAME_MS))
        while (stack.isNotEmpty() && (opened() || closed())) shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(FRAME_MS))
    }

    private fun opened(): Boolean {
        for (shown in stack.reversed()) {
            val started = shadowOf(shown.controller.get()).nextStartedActivityForResult ?: continue
            val name = started.intent.component?.className
            if (name == null) {
                outside += started.intent
            } else {
                @Suppress("UNCHECKED_CAST")
                push(Class.forName(name) as Class<out Activity>, started.intent, started.requestCode)
            }
            return true
        }
        return false
    }

    private fun closed(): Boolean {
        val gone = stack.lastOrNull { it.controller.get().isFinishing } ?: return false
        val top = gone === stack.last()
        stack.remove(gone)
        if (top) gone.controller.pause()
        gone.controller.stop().destroy()
        val result = shadowOf(gone.controller.get())
        val below = stack.lastOrNull() ?: return true
        if (gone.request >= 0) {
            val asked = shadowOf(below.controller.get())
            runCatching { asked.callOnActivityResult(gone.request, result.resultCode, result.resultIntent) }
        }
        if (top) below.controller.resume()
        return true
    }

    /** What another app gives back, asked by the newest intent in [outside]. */
    fun answer(request: Int, result: Int, data: Intent? = null) {
        shadowOf(activity).callOnActivityResult(request, result, data)
        settle()
    }

    /** Waits until the screen shows what it should; the engine works on threads of its own. */
    fun until(what: String, seconds: Int = 20, seen: () -> Boolean) {
        val end = System.nanoTime() + seconds * 1_000_000_000L
        while (true) {
            settle()
            if (seen()) return
            if (System.nanoTime() > end) throw AssertionError("never seen: $what\n${texts().joinToString("\n")}")
            Thread.sleep(POLL_MS)
        }
    }

    fun untilSees(text: String, seconds: Int = 20) = until("“$text”", seconds) { sees(text) }

    fun sees(text: String) = texts().any { text in it }

    /** All texts that can be seen, from the top. */
    fun texts(): List<String> = roots().flatMap(::all).filterIsInstance<TextView>().filter { it.isShown }.map { it.text.toString() }.filter(String::isNotBlank)

    fun view(id: Int): View = roots().reversed().firstNotNullOfOrNull { root -> all(root).find { it.id == id && it.isShown } }
        ?: throw AssertionError("not seen: ${activity.resources.getResourceEntryName(id)}\n${texts().joinToString("\n")}")

    /** A field of a form, by its name in the schema. */
    fun field(name: String): View {
        var found: View? = null
        until("the field $name") {
            found = roots().flatMap(::all).find { it.tag == name && it.isShown }
            found != null
        }
        return found!!
    }

    fun shows(id: Int) = roots().any { root -> all(root).any { it.id == id && it.isShown } }

    /** The windows of what is in front: the activity's, and dialogs over it. */
    fun roots(): List<View> {
        val front = activity.window.decorView
        val dialogs = WindowManagerGlobal.getInstance().windowViews.filter {
            // The handles of a cursor are windows, too; nobody types into them.
            val type = (it.layoutParams as? WindowManager.LayoutParams)?.type ?: 0
            it !== front && it.isShown && type < WindowManager.LayoutParams.FIRST_SUB_WINDOW && it.context.hosts(activity)
        }
        return listOf(front) + dialogs
    }

    private fun android.content.Context.hosts(of: Activity): Boolean {
        var context: android.content.Context? = this
        while (context is android.content.ContextWrapper) {
            if (context === of) return true
            context = context.baseContext
        }
        return false
    }

    fun all(view: View): List<View> = listOf(view) + ((view as? ViewGroup)?.let { g -> (0 until g.childCount).flatMap { all(g.getChildAt(it)) } } ?: emptyList())

    /** Touches what carries a text, or whose description says it. */
    fun tap(text: String) {
        val found = roots().reversed().firstNotNullOfOrNull { root ->
            val shown = all(root).filter { it.isShown }
            shown.find { (it as? TextView)?.text?.toString() == text } ?: shown.find { it.contentDescription?.toString() == text }
        }
        tap(found ?: throw AssertionError("nothing to touch: “$text”\n${texts().joinToString("\n")}"))
    }

    fun tap(id: Int) = tap(view(id))

    fun tap(view: View) {
        reveal(view)
        val (x, y) = middle(view)
        touch(view.rootView, MotionEvent.ACTION_DOWN, x, y)
        touch(view.rootView, MotionEvent.ACTION_UP, x, y)
        settle()
    }

    /** Puts a finger on a view and leaves it there until [lift]. */
    fun press(view: View) {
        reveal(view)
        val (x, y) = middle(view)
        touch(view.rootView, MotionEvent.ACTION_DOWN, x, y)
    }

    fun lift(view: View) {
        val (x, y) = middle(view)
        touch(view.rootView, MotionEvent.ACTION_UP, x, y)
        settle()
    }

    /** The view that shows a text. */
    fun showing(text: String): View = roots().flatMap(::all).first { it.isShown && (it as? TextView)?.text?.toString() == text }

    private fun middle(view: View): Pair<Float, Float> {
        val at = IntArray(2).also(view::getLocationInWindow)
        return at[0] + view.width / 2f to at[1] + view.height / 2f
    }

    // A finger would scroll there first.
    private fun reveal(view: View) {
        view.requestRectangleOnScreen(android.graphics.Rect(0, 0, view.width, view.height), true)
        settle()
    }

    /** Draws a finger over a view, by parts of the view's own width and height. */
    fun swipe(view: View, byX: Float, byY: Float = 0f) {
        val (x, y) = middle(view)
        val root = view.rootView
        val startX = x - byX * view.width / 2
        val startY = y - byY * view.height / 2
        touch(root, MotionEvent.ACTION_DOWN, startX, startY)
        for (step in 1..STEPS) {
            val part = step.toFloat() / STEPS
            touch(root, MotionEvent.ACTION_MOVE, startX + byX * view.width * part, startY + byY * view.height * part)
        }
        touch(root, MotionEvent.ACTION_UP, startX + byX * view.width, startY + byY * view.height)
        repeat(30) { settle() }
    }

    private var downAt = 0L

    private fun touch(root: View, action: Int, x: Float, y: Float) {
        if (action == MotionEvent.ACTION_DOWN) downAt = SystemClock.uptimeMillis()
        val event = MotionEvent.obtain(downAt, SystemClock.uptimeMillis(), action, x, y, 0)
        event.source = InputDevice.SOURCE_TOUCHSCREEN
        root.dispatchTouchEvent(event)
        event.recycle()
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(FRAME_MS))
    }

    /** Types on the keyboard into what has the focus. */
    fun type(text: String) {
        val root = roots().last()
        val keys = KeyCharacterMap.load(KeyCharacterMap.VIRTUAL_KEYBOARD)
        for (character in text) {
            val events = if (character.code < 128) keys.getEvents(charArrayOf(character)) else null
            if (events != null) {
                events.forEach(root::dispatchKeyEvent)
            } else {
                // What has no key comes as a composed text, as from an input method.
                @Suppress("DEPRECATION")
                root.dispatchKeyEvent(KeyEvent(SystemClock.uptimeMillis(), character.toString(), KeyCharacterMap.VIRTUAL_KEYBOARD, 0))
            }
        }
        settle()
    }

    fun type(id: Int, text: String) {
        tap(id)
        type(text)
    }

    fun press(key: Int) {
        val root = roots().last()
        root.dispatchKeyEvent(KeyEvent(KeyEvent.ACTION_DOWN, key))
        root.dispatchKeyEvent(KeyEvent(KeyEvent.ACTION_UP, key))
        settle()
    }

    fun back() {
        press(KeyEvent.KEYCODE_BACK)
        settle()
    }

    /** Writes what is on the screen to `target/screenshots`. */
    fun screenshot(name: String): Bitmap {
        settle()
        val front = activity.window.decorView
        val picture = Bitmap.createBitmap(front.width, front.height, Bitmap.Config.ARGB_8888)
        var copied = -1
        PixelCopy.request(activity.window, picture, { copied = it }, Handler(Looper.getMainLooper()))
        settle()
        if (copied != PixelCopy.SUCCESS) front.draw(Canvas(picture))
        roots().drop(1).forEach { dialog ->
            val at = IntArray(2).also(dialog::getLocationOnScreen)
            Canvas(picture).apply {
                drawColor(0x80000000.toInt())
                translate(at[0].toFloat(), at[1].toFloat())
                dialog.draw(this)
            }
        }
        val file = File(System.getProperty("fieldrep.dir"), "target/screenshots/$name.png")
        file.parentFile.mkdirs()
        file.outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return picture
    }

    /** Takes the app out of the hand: every screen goes as when the process ends. */
    override fun close() {
        while (stack.isNotEmpty()) {
            val shown = stack.removeLast().controller
            runCatching { shown.pause().stop().destroy() }
        }
    }

    private companion object {
        const val NO_RESULT = -1
        const val FRAME_MS = 16L
        const val POLL_MS = 4L
        const val STEPS = 12
    }
}
