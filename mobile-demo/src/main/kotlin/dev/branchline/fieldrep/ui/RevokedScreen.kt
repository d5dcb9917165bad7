package dev.branchline.fieldrep.ui

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.TextView
import dev.branchline.fieldrep.R

/** The access has ended: what was not sent goes to head office's review first, then all is erased here. */
class RevokedScreen : Screen() {
    override val outside = true
    private var erased = false

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.revoked)
        button().setOnClickListener { handOver() }
    }

    override fun onResume() {
        super.onResume()
        if (!erased) handOver()
    }

    private fun button() = findViewById<Button>(R.id.revoked_again)!!

    private fun body(text: Int) = findViewById<TextView>(R.id.revoked_body)!!.setText(text)

    private fun handOver() {
        calm()
        body(R.string.revoked_waiting)
        button().isEnabled = false
        work({ it.handOver(HAND_OVER_SECONDS) }, { trouble ->
            button().isEnabled = true
            complain(trouble)
        }) { left ->
            button().isEnabled = true
            findViewById<TextView>(R.id.revoked_left)!!.showOrHide(
                if (left == 0) null else resources.getQuantityString(R.plurals.revoked_left, left, left),
            )
            if (left == 0) erase()
        }
    }

    private fun erase() {
        app.access.wipe()
        app.choices.forget()
        app.reminders.cancel()
        erased = true
        body(R.string.revoked_done)
        button().setText(R.string.revoked_join)
        button().setOnClickListener {
            startActivity(Intent(this, JoinScreen::class.java))
            finish()
        }
    }

    private companion object {
        const val HAND_OVER_SECONDS = 60
    }
}
