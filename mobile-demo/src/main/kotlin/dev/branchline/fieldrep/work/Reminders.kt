package dev.branchline.fieldrep.work

import android.app.AlarmManager
import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.os.Build
import dev.branchline.fieldrep.FieldRep
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Task
import dev.branchline.fieldrep.Words
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.reminders
import dev.branchline.fieldrep.ui.HomeScreen
import dev.branchline.fieldrep.ui.picture
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch

/** Reminds of what is due, at its time: one alarm is set, for the next task; when it rings, the one after is set. */
class Reminders(private val app: FieldRep) {
    private val alarms = app.service<AlarmManager>()
    private val notices = app.service<NotificationManager>()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)

    /** Sets the alarm for the next task. */
    fun plan() {
        scope.launch { runCatching { set(next()) } }
    }

    /** Shows what is due now, and sets the next alarm. */
    fun ring(shown: () -> Unit) {
        scope.launch {
            runCatching {
                val now = app.clock.now()
                app.access.territory().reminders(now.minusMillis(RECENT_MS), SHOWN_MAX).filter { it.remindAt!! <= now }.forEach(::show)
                set(next())
            }
            shown()
        }
    }

    fun cancel() {
        alarms.cancel(intent())
        notices.cancelAll()
    }

    private fun next(): Task? {
        if (app.access.state == Access.State.NONE || app.access.state == Access.State.REVOKED) return null
        return app.access.territory().reminders(app.clock.now(), 1).firstOrNull()
    }

    private fun set(task: Task?) {
        alarms.cancel(intent())
        val at = task?.remindAt?.toEpochMilli() ?: return
        // Without the right to exact alarms it rings some minutes late at worst.
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.S || alarms.canScheduleExactAlarms()) {
            alarms.setExactAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, at, intent())
        } else {
            alarms.setAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, at, intent())
        }
    }

    private fun intent(): PendingIntent {
        val intent = Intent(app, ReminderReceiver::class.java)
        return PendingIntent.getBroadcast(app, 0, intent, PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE)
    }

    private fun show(task: Task) {
        notices.createNotificationChannel(NotificationChannel(CHANNEL, app.getString(R.string.reminders), NotificationManager.IMPORTANCE_HIGH))
        val open = PendingIntent.getActivity(app, 0, Intent(app, HomeScreen::class.java), PendingIntent.FLAG_IMMUTABLE)
        val words = Words(app)
        val at = words.time(task.remindAt!!)
        val hidden = Notification.Builder(app, CHANNEL).setSmallIcon(R.drawable.ic_today).setContentTitle(app.getString(R.string.reminders)).build()
        val notice = Notification.Builder(app, CHANNEL)
            .setSmallIcon(picture(task.kind))
            .setContentTitle(task.clientName.ifEmpty { task.subject })
            .setContentText(app.getString(R.string.reminder_body, at, task.subject))
            .setContentIntent(open)
            .setAutoCancel(true)
            // A locked phone tells nobody whom one visits.
            .setVisibility(Notification.VISIBILITY_PRIVATE)
            .setPublicVersion(hidden)
            .build()
        notices.notify(task.id, 0, notice)
    }

    private companion object {
        const val CHANNEL = "reminders"
        /** What fell due while the phone was off is still shown for an hour. */
        const val RECENT_MS = 60 * 60 * 1000L
        const val SHOWN_MAX = 10
    }
}

/** The alarm rings here. */
class ReminderReceiver : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
        val done = goAsync()
        (context.applicationContext as FieldRep).reminders.ring { done?.finish() }
    }
}

/** Alarms do not outlive a restart of the phone; jobs do. */
class BootReceiver : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
        if (intent.action == Intent.ACTION_BOOT_COMPLETED) (context.applicationContext as FieldRep).reminders.plan()
    }
}
