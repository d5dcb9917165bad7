package dev.branchline.fieldrep

import android.app.AlarmManager
import android.app.Notification
import android.app.NotificationManager
import android.app.job.JobScheduler
import android.content.Intent
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.ui.CallerScreen
import dev.branchline.fieldrep.ui.HomeScreen
import dev.branchline.fieldrep.work.BootReceiver
import dev.branchline.fieldrep.work.CallScreen
import dev.branchline.fieldrep.work.ReminderReceiver
import dev.branchline.fieldrep.work.SyncJob
import java.time.Duration
import java.time.Instant
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf

/** What goes on while nobody looks: reminders, exchanges, calls. */
class BackgroundTest : FieldTest() {
    private fun notices() = shadowOf(app.service<NotificationManager>()).allNotifications.map {
        it.extras.getCharSequence(Notification.EXTRA_TITLE)?.toString() to it.extras.getCharSequence(Notification.EXTRA_TEXT)?.toString()
    }

    private fun alarmAt() = shadowOf(app.service<AlarmManager>()).scheduledAlarms.singleOrNull()?.triggerAtMs?.let(Instant::ofEpochMilli)

    @Test
    fun `a task is told of at its time, and the next alarm is set`() {
        val phone = working()
        app.reminders.plan()
        phone.until("the alarm is set") { alarmAt() == Instant.parse("2026-11-27T09:00:00Z") }
        app.pass(Duration.ofMinutes(20))
        app.sendBroadcast(Intent(app, ReminderReceiver::class.java))
        phone.until("the notice") { notices() == listOf("Аптека «Зоря»" to "9:00 AM, Обсудить полку и новый заказ") }
        phone.until("the next alarm") { alarmAt() == Instant.parse("2026-11-27T10:30:00Z") }
    }

    @Test
    fun `alarms come back after the phone was restarted`() {
        val phone = working()
        BootReceiver().onReceive(app, Intent(Intent.ACTION_BOOT_COMPLETED))
        phone.until("the alarm is set") { alarmAt() != null }
    }

    @Test
    fun `the system's job exchanges within its deadline`() {
        val phone = working()
        phone.close()
        app.access.territory().stopExchange()
        SyncJob.soon(app)
        val jobs = app.service<JobScheduler>().allPendingJobs
        assertTrue(jobs.any { it.id == SyncJob.SOON && it.service.className == SyncJob::class.java.name })
        hub.create("account", "name=Typed at head office")
        val job = Robolectric.buildService(SyncJob::class.java).create().get()
        assertTrue(job.onStartJob(jobParameters()))
        val again = phone().open(HomeScreen::class.java)
        again.tap(R.id.tab_clients)
        again.untilSees("6 clients", seconds = 60)
    }

    @Test
    fun `a job that the system takes back stops cleanly, whatever the line does`() {
        val phone = working()
        phone.close()
        val territory = app.access.territory()
        territory.stopExchange()
        hub.line.rate = 1
        val job = Robolectric.buildService(SyncJob::class.java).create().get()
        assertTrue(job.onStartJob(jobParameters()))
        val waiting = phone()
        waiting.until("it is on its way") { territory.line.value.phase == LineState.Phase.CONNECTING }
        assertTrue("another job will be needed", job.onStopJob(jobParameters()))
        waiting.until("it has stopped") { shadowOf(job).isJobFinished }
    }

    private fun jobParameters() = org.robolectric.shadow.api.Shadow.newInstanceOf(android.app.job.JobParameters::class.java)

    @Test
    fun `who calls is shown with what there is to talk about`() {
        val phone = working()
        CallScreen.prompt(app, "067 123-45-67")
        assertEquals("Ірина Мельник", notices().single().first)
        phone.open(CallerScreen::class.java, CallScreen.open(app, "067 123-45-67"))
        phone.untilSees("Ірина Мельник")
        assertTrue(phone.texts().toString(), phone.sees("Аптека «Зоря» · Закупівлі"))
        assertTrue(phone.sees("No contact for 38 days"))
        assertTrue(phone.sees("Birthday soon"))
        assertTrue(phone.sees("Open deal"))
        phone.tap("Note the call")
        phone.until("the prompt is gone") { !phone.shows(R.id.caller_log) }
        untilDelivered(phone)
        val noted = hub.list("activity", "direction = in").single()
        assertEquals("Ірина Мельник", noted.text("contact"))
    }

    @Test
    fun `a number that nobody has shows nothing`() {
        working()
        CallScreen.prompt(app, "+380990000000")
        assertEquals(emptyList<Any>(), notices())
    }
}
