package dev.branchline.fieldrep.work

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.app.job.JobService
import android.content.ComponentName
import android.content.Context
import dev.branchline.fieldrep.FieldRep
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.engine.Access
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch

/** Exchanges with head office in the background, when the system finds that there is a network. */
class SyncJob : JobService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private var running: Job? = null

    override fun onStartJob(parameters: JobParameters): Boolean {
        val app = application as FieldRep
        if (app.access.state == Access.State.NONE) return false
        app.hintEngine()
        running = scope.launch {
            val again = runCatching { app.access.territory().runOnce(DEADLINE_SECONDS) }.getOrDefault(true)
            app.reminders.plan()
            jobFinished(parameters, again)
        }
        return true
    }

    override fun onStopJob(parameters: JobParameters): Boolean {
        // What has arrived stays, the rest goes on with the next job.
        running?.cancel()
        scope.launch { runCatching { (application as FieldRep).access.territory().interrupt() } }
        return true
    }

    companion object {
        const val REGULAR = 1
        const val SOON = 2
        private const val EVERY_MS = 15 * 60 * 1000L
        private const val SOON_LATEST_MS = 30_000L

        /** Less than the ten minutes that the system gives to a job. */
        private const val DEADLINE_SECONDS = 480

        /** An exchange every quarter of an hour for as long as this phone has a territory. */
        fun plan(context: Context) = schedule(context) {
            JobInfo.Builder(REGULAR, it).setPeriodic(EVERY_MS).setPersisted(true)
        }

        /** One exchange as soon as there is a network. */
        fun soon(context: Context) = schedule(context) { JobInfo.Builder(SOON, it).setOverrideDeadline(SOON_LATEST_MS) }

        private fun schedule(context: Context, builder: (ComponentName) -> JobInfo.Builder) {
            val job = builder(ComponentName(context, SyncJob::class.java)).setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY).build()
            context.service<JobScheduler>().schedule(job)
        }
    }
}
