package dev.branchline.fieldrep.view

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Typeface
import android.util.AttributeSet
import android.view.View
import dev.branchline.fieldrep.R

/** The first letters of a name on a colour of its own, so that a known client is found by eye. */
class Avatar(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val fill = Paint(Paint.ANTI_ALIAS_FLAG)
    private val letters = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.on_avatar)
        textAlign = Paint.Align.CENTER
        typeface = Typeface.create("sans-serif-medium", Typeface.NORMAL)
    }
    private var initials = ""

    fun show(name: String) {
        initials = initials(name)
        fill.color = context.getColor(COLOURS[Math.floorMod(name.hashCode(), COLOURS.size)])
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val radius = width / 2f
        canvas.drawCircle(radius, height / 2f, radius, fill)
        letters.textSize = width * 0.36f
        canvas.drawText(initials, radius, height / 2f - (letters.ascent() + letters.descent()) / 2, letters)
    }

    companion object {
        private val COLOURS = intArrayOf(R.color.avatar_a, R.color.avatar_b, R.color.avatar_c, R.color.avatar_d)

        /** The first letters of the first two words that begin with a letter or a digit. */
        fun initials(name: String): String = name.split(' ', '-', '«', '»', '"', '“', '”')
            .mapNotNull { word -> word.firstOrNull()?.takeIf(Char::isLetterOrDigit) }
            .take(2).joinToString("").uppercase()
    }
}
