package dev.branchline.fieldrep.view

import android.content.Context
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import android.view.ViewConfiguration
import android.widget.FrameLayout
import kotlin.math.abs

/**
 * A row whose front can be swept to the right, off what lies behind it. What a sweep does must have a button, too: not
 * everybody can sweep.
 */
class SwipeRow(context: Context, attributes: AttributeSet?) : FrameLayout(context, attributes) {
    /** Called once the front has been swept away. Without it the row does not move. */
    var onSwept: (() -> Unit)? = null
    private val slop = ViewConfiguration.get(context).scaledTouchSlop
    private var startX = 0f
    private var startY = 0f
    private var sweeping = false

    private val back: View get() = getChildAt(0)
    private val front: View get() = getChildAt(1)

    override fun onFinishInflate() {
        super.onFinishInflate()
        back.visibility = INVISIBLE
    }

    /** Puts the front back in its place. */
    fun reset() {
        front.animate().cancel()
        show(0f)
    }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        super.onMeasure(widthSpec, heightSpec)
        val high = MeasureSpec.makeMeasureSpec(front.measuredHeight, MeasureSpec.EXACTLY)
        back.measure(MeasureSpec.makeMeasureSpec(front.measuredWidth, MeasureSpec.EXACTLY), high)
    }

    override fun onInterceptTouchEvent(event: MotionEvent): Boolean {
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                startX = event.x
                startY = event.y
                sweeping = false
            }
            MotionEvent.ACTION_MOVE -> if (onSwept != null) {
                val moved = event.x - startX
                if (moved > slop && moved > 2 * abs(event.y - startY)) {
                    sweeping = true
                    parent.requestDisallowInterceptTouchEvent(true)
                }
            }
        }
        return sweeping
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (!sweeping) return super.onTouchEvent(event)
        when (event.actionMasked) {
            MotionEvent.ACTION_MOVE -> show((event.x - startX).coerceAtLeast(0f))
            MotionEvent.ACTION_UP -> finish(swept = front.translationX > width * SWEPT)
            MotionEvent.ACTION_CANCEL -> finish(swept = false)
        }
        return true
    }

    private fun finish(swept: Boolean) {
        sweeping = false
        val to = if (swept) width.toFloat() else 0f
        front.animate().translationX(to).setDuration(SETTLE_MS).withEndAction {
            show(to)
            if (swept) onSwept?.invoke()
        }
    }

    private fun show(at: Float) {
        front.translationX = at
        back.visibility = if (at > 0f) VISIBLE else INVISIBLE
    }

    private companion object {
        /** The part of its width after which a row counts as swept. */
        const val SWEPT = 0.4f
        const val SETTLE_MS = 160L
    }
}
