/*
 * cpu_quota: how many threads are worth starting.
 *
 * A container's share of the processors is set by its cgroup, not by the number of processors that the
 * machine has; one loop per processor of a 64-core node under a quota of 2 would be throttled most of the
 * time.
 */
#ifndef INTROSPECTD_CPU_QUOTA_H
#define INTROSPECTD_CPU_QUOTA_H

/*
 * The number of processors that this process may keep busy, at least 1: the smaller of its affinity mask and
 * its cgroup's CPU quota rounded up (cgroup v2 cpu.max along the path to the root, the tightest wins; v1
 * cpu.cfs_quota_us / cpu.cfs_period_us likewise).
 * proc_root and sysfs_cgroup_root are "/proc" and "/sys/fs/cgroup" outside tests. Any thread.
 */
unsigned cpu_quota_threads(const char *proc_root, const char *sysfs_cgroup_root);

#endif
