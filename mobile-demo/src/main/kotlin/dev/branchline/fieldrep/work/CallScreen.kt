package dev.branchline.fieldrep.work

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Context
import android.content.Intent
import android.telecom.Call
import android.telecom.CallScreeningService
import dev.branchline.fieldrep.FieldRep
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.caller
import dev.branchline.fieldrep.ui.CallerScreen
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch

/** Learns who calls and lets every call through; a known number opens the client's card over the ringing phone. */
class CallScreen : CallScreeningService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)

    override fun onScreenCall(details: Call.Details) {
        respondToCall(details, CallResponse.Builder().build())
        val number = details.handle?.schemeSpecificPart ?: return
        val app = application as FieldRep
        scope.launch { prompt(app, number) }
    }

    companion object {
        private const val CHANNEL = "calls"
        private const val NOTICE = "call"

        /** Shows who calls, where the number is known and the app is not locked. Not for the main thread. */
        fun prompt(app: FieldRep, number: String) {
            if (app.access.state != Access.State.OPEN) return
            val caller = runCatching { app.access.territory().caller(number, app.clock.now()) }.getOrNull() ?: return
            val name = caller.person?.name ?: caller.client?.name ?: return
            val notices = app.service<NotificationManager>()
            notices.createNotificationChannel(NotificationChannel(CHANNEL, app.getString(R.string.calls), NotificationManager.IMPORTANCE_HIGH))
            val intent = open(app, number)
            val show = PendingIntent.getActivity(app, 0, intent, PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE)
            val notice = Notification.Builder(app, CHANNEL)
                .setSmallIcon(R.drawable.ic_call)
                .setContentTitle(name)
                .setContentText(listOfNotNull(caller.client?.name, caller.overdue?.subject ?: caller.deal?.name).joinToString(" · "))
                .setContentIntent(show)
                .setFullScreenIntent(show, true)
                .setCategory(Notification.CATEGORY_CALL)
                .setVisibility(Notification.VISIBILITY_PRIVATE)
                .setAutoCancel(true)
                .build()
            notices.notify(NOTICE, 0, notice)
        }

        fun open(context: Context, number: String): Intent =
            Intent(context, CallerScreen::class.java).putExtra(CallerScreen.NUMBER, number).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)
    }
}
