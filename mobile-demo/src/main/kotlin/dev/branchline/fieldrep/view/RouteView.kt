package dev.branchline.fieldrep.view

import android.content.Context
import android.graphics.Canvas
import android.graphics.DashPathEffect
import android.graphics.Paint
import android.graphics.Path
import android.graphics.Typeface
import android.util.AttributeSet
import android.util.TypedValue
import android.view.View
import dev.branchline.fieldrep.Place
import dev.branchline.fieldrep.R
import kotlin.math.cos

/**
 * The day's stops as a sketch: needs no map on the phone, and shows at a glance which way the day goes. A way that runs
 * north and south lies on its side, with an arrow to the north.
 */
class RouteView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val way = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        style = Paint.Style.STROKE
        strokeWidth = 2 * density
        color = context.getColor(R.color.brand)
        pathEffect = DashPathEffect(floatArrayOf(6 * density, 5 * density), 0f)
    }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG)
    private val number = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.on_brand)
        textSize = 12 * density
        textAlign = Paint.Align.CENTER
        typeface = Typeface.create("sans-serif-medium", Typeface.NORMAL)
    }
    private val label = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.muted)
        textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 12f, resources.displayMetrics)
        textAlign = Paint.Align.CENTER
    }
    private val north = Path()
    private val path = Path()
    private var turned = false
    private var stops: List<Place> = emptyList()
    private var here: Place? = null
    private var legs: List<String> = emptyList()

    /** Shows these stops in their order; `legs` are the words for the ways between them. */
    fun show(stops: List<Place>, here: Place?, legs: List<String>, spoken: String) {
        this.stops = stops
        this.here = here
        this.legs = legs
        contentDescription = spoken
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        if (stops.isEmpty()) return
        val points = project(stops + listOfNotNull(here))
        val places = points.take(stops.size)
        arrow(canvas)
        path.reset()
        val start = points.getOrNull(stops.size)
        val all = listOfNotNull(start) + places
        all.forEachIndexed { n, (x, y) -> if (n == 0) path.moveTo(x, y) else path.lineTo(x, y) }
        canvas.drawPath(path, way)
        legs.forEachIndexed { n, text ->
            val (fromX, fromY) = places.getOrNull(n) ?: return@forEachIndexed
            val (toX, toY) = places.getOrNull(n + 1) ?: return@forEachIndexed
            val far = (toX - fromX) * (toX - fromX) + (toY - fromY) * (toY - fromY)
            if (far > LABEL_DP * LABEL_DP * density * density) {
                canvas.drawText(text, (fromX + toX) / 2, (fromY + toY) / 2 - 7 * density, label)
            }
        }
        start?.let { (x, y) ->
            dot.color = context.getColor(R.color.surface)
            canvas.drawCircle(x, y, 8 * density, dot)
            dot.color = context.getColor(R.color.brand)
            canvas.drawCircle(x, y, 5 * density, dot)
        }
        places.forEachIndexed { n, (x, y) ->
            dot.color = context.getColor(R.color.surface)
            canvas.drawCircle(x, y, 13 * density, dot)
            dot.color = context.getColor(R.color.brand)
            canvas.drawCircle(x, y, 11 * density, dot)
            canvas.drawText((n + 1).toString(), x, y + 4.3f * density, number)
        }
    }

    // A small arrow to the north in the corner.
    private fun arrow(canvas: Canvas) {
        dot.color = context.getColor(R.color.hint)
        canvas.save()
        canvas.translate(width - 22 * density, height - 22 * density)
        if (turned) canvas.rotate(90f)
        north.reset()
        north.moveTo(0f, -9 * density)
        north.lineTo(6 * density, 8 * density)
        north.lineTo(0f, 4 * density)
        north.lineTo(-6 * density, 8 * density)
        north.close()
        canvas.drawPath(north, dot)
        canvas.restore()
    }

    // Degrees to pixels, one scale for both axes, the middle of the stops in the middle of the view.
    private fun project(places: List<Place>): List<Pair<Float, Float>> {
        val middle = (places.minOf { it.latitude } + places.maxOf { it.latitude }) / 2
        val shrink = cos(Math.toRadians(middle))
        val easts = places.map { it.longitude * shrink }
        val souths = places.map { -it.latitude }
        turned = souths.max() - souths.min() > easts.max() - easts.min()
        val (xs, ys) = if (turned) souths.map { -it } to easts else easts to souths
        val margin = 30 * density
        val (wide, high) = xs.max() - xs.min() to ys.max() - ys.min()
        val scale = minOf(
            (width - 2 * margin) / wide.coerceAtLeast(DEGREES_MIN),
            (height - 2 * margin) / high.coerceAtLeast(DEGREES_MIN),
        )
        val (centreX, centreY) = (xs.max() + xs.min()) / 2 to (ys.max() + ys.min()) / 2
        return xs.zip(ys) { x, y ->
            (width / 2 + (x - centreX) * scale).toFloat() to (height / 2 + (y - centreY) * scale).toFloat()
        }
    }

    private companion object {
        /** About ten metres: stops at one place do not blow the sketch up. */
        const val DEGREES_MIN = 0.0001
        /** A shorter way has no room for its words. */
        const val LABEL_DP = 84
    }
}
