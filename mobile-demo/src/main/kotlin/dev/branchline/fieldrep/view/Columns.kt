package dev.branchline.fieldrep.view

import android.animation.Animator
import android.animation.ObjectAnimator
import android.content.Context
import android.os.Bundle
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.VelocityTracker
import android.view.View
import android.view.ViewConfiguration
import android.view.ViewGroup
import android.view.accessibility.AccessibilityNodeInfo
import android.view.animation.DecelerateInterpolator
import kotlin.math.abs
import kotlin.math.min
import kotlin.math.roundToInt

/** Columns side by side; one is swept to the next, whose edge already shows. */
class Columns(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes) {
    /** Called when another column has come to the front. */
    var onShown: ((Int) -> Unit)? = null
    var shown = 0
        private set
    private var moving: Animator? = null
    private val slop = ViewConfiguration.get(context).scaledTouchSlop
    private val flingSpeed = ViewConfiguration.get(context).scaledMinimumFlingVelocity * 4
    private val density = resources.displayMetrics.density
    private var tracker: VelocityTracker? = null
    private var downX = 0f
    private var downY = 0f
    private var lastX = 0f
    private var sweeping = false

    private val edge = (EDGE_DP * density).roundToInt()
    private val gap = (GAP_DP * density).roundToInt()
    private val columnWidth: Int get() = min((width - 2 * edge) * 92 / 100, (COLUMN_DP_MAX * density).roundToInt())
    private val scrollMax: Int get() = (childCount * (columnWidth + gap) - gap + 2 * edge - width).coerceAtLeast(0)

    /** Brings a column to the front. */
    fun show(index: Int, smooth: Boolean = true) {
        moving?.cancel()
        val to = place(index)
        if (smooth) {
            moving = glide(to)
        } else {
            scrollTo(to, 0)
        }
        settle(index)
    }

    private fun place(index: Int) = (index * (columnWidth + gap)).coerceIn(0, scrollMax)

    private fun settle(index: Int) {
        if (index != shown) {
            shown = index
            onShown?.invoke(index)
        }
    }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        setMeasuredDimension(MeasureSpec.getSize(widthSpec), MeasureSpec.getSize(heightSpec))
        val wide = min((measuredWidth - 2 * edge) * 92 / 100, (COLUMN_DP_MAX * density).roundToInt())
        val high = MeasureSpec.makeMeasureSpec(measuredHeight, MeasureSpec.EXACTLY)
        for (n in 0 until childCount) getChildAt(n).measure(MeasureSpec.makeMeasureSpec(wide, MeasureSpec.EXACTLY), high)
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        for (n in 0 until childCount) {
            val start = edge + n * (columnWidth + gap)
            getChildAt(n).layout(start, 0, start + columnWidth, height)
        }
        if (changed) scrollTo(place(shown), 0)
    }

    override fun onInterceptTouchEvent(event: MotionEvent): Boolean {
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                moving?.cancel()
                downX = event.x
                downY = event.y
                lastX = event.x
                sweeping = false
            }
            MotionEvent.ACTION_MOVE -> begin(event)
        }
        return sweeping
    }

    private fun begin(event: MotionEvent) {
        val moved = abs(event.x - downX)
        if (!sweeping && moved > slop && moved > abs(event.y - downY)) {
            sweeping = true
            parent.requestDisallowInterceptTouchEvent(true)
        }
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        val tracker = tracker ?: VelocityTracker.obtain().also { tracker = it }
        tracker.addMovement(event)
        when (event.actionMasked) {
            MotionEvent.ACTION_MOVE -> {
                begin(event)
                if (sweeping) scrollTo((scrollX + (lastX - event.x).roundToInt()).coerceIn(0, scrollMax), 0)
                lastX = event.x
            }
            MotionEvent.ACTION_UP, MotionEvent.ACTION_CANCEL -> {
                tracker.computeCurrentVelocity(1000)
                if (sweeping) show(aim(event.x - downX, tracker.xVelocity))
                tracker.recycle()
                this.tracker = null
                sweeping = false
            }
        }
        return true
    }

    // A quick or a long enough sweep turns to the neighbour, a short one falls back.
    private fun aim(moved: Float, speed: Float): Int {
        val turn = when {
            abs(moved) > columnWidth / 3f -> if (moved < 0) 1 else -1
            abs(speed) > flingSpeed -> if (speed < 0) 1 else -1
            else -> 0
        }
        return (shown + turn).coerceIn(0, childCount - 1)
    }

    override fun onInitializeAccessibilityNodeInfo(info: AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(info)
        info.isScrollable = true
        if (shown < childCount - 1) info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_FORWARD)
        if (shown > 0) info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_BACKWARD)
    }

    override fun performAccessibilityAction(action: Int, arguments: Bundle?): Boolean {
        val step = when (action) {
            AccessibilityNodeInfo.ACTION_SCROLL_FORWARD -> 1
            AccessibilityNodeInfo.ACTION_SCROLL_BACKWARD -> -1
            else -> return super.performAccessibilityAction(action, arguments)
        }
        show((shown + step).coerceIn(0, childCount - 1))
        return true
    }

    override fun shouldDelayChildPressedState() = true

    private companion object {
        const val EDGE_DP = 16
        const val GAP_DP = 12
        const val COLUMN_DP_MAX = 380
    }
}

/** Scrolls a view sideways. A scroller would take the next touch for the wish to stop it; this one leaves touches alone. */
fun View.glide(toX: Int): Animator = ObjectAnimator.ofInt(this, "scrollX", toX).apply {
    duration = GLIDE_MS
    interpolator = DecelerateInterpolator()
    start()
}

private const val GLIDE_MS = 220L
