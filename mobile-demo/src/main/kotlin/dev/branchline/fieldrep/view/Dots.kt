package dev.branchline.fieldrep.view

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import dev.branchline.fieldrep.R
import kotlin.math.max
import kotlin.math.roundToInt

/** How many digits of a PIN have been typed; never which. */
class Dots(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val full = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.brand) }
    private val empty = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.hint)
        style = Paint.Style.STROKE
        strokeWidth = 1.5f * density
    }
    private var typed = 0

    fun show(typed: Int) {
        this.typed = typed
        contentDescription = resources.getString(R.string.lock_digit_count, typed.toString())
        requestLayout()
        invalidate()
    }

    private val shown: Int get() = max(typed, PLACES_MIN)

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val wide = (shown * STEP_DP * density).roundToInt()
        setMeasuredDimension(resolveSize(wide, widthSpec), resolveSize((STEP_DP * density).roundToInt(), heightSpec))
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val step = width / shown.toFloat()
        for (n in 0 until shown) canvas.drawCircle(step * (n + 0.5f), height / 2f, 7 * density, if (n < typed) full else empty)
    }

    private companion object {
        const val PLACES_MIN = 4
        const val STEP_DP = 30
    }
}
