/* SPDX-License-Identifier: MIT */
/* cli/cmd.h
 * What the commands do, by the files they are in. Each returns the exit status, or -1 with @f set.
 */
#ifndef CRECHE_CLI_CMD_H
#define CRECHE_CLI_CMD_H

#include "cli/cli.h"
#include "cli/options.h"

/* cmd_run.c */
int cmd_run(struct cli *c, const struct args *a, struct fail *f);
int cmd_create(struct cli *c, const struct args *a, struct fail *f);
/* cmd_join.c */
int cmd_join(struct cli *c, const struct args *a, struct fail *f);
int cmd_wait_any(struct cli *c, const struct args *a, struct fail *f);
/* cmd_list.c */
int cmd_ps(struct cli *c, const struct args *a, struct fail *f);
int cmd_active(struct cli *c, const struct args *a, struct fail *f);
int cmd_show(struct cli *c, const struct args *a, struct fail *f);
/* cmd_top.c */
int cmd_top(struct cli *c, const struct args *a, struct fail *f);
/* cmd_logs.c */
int cmd_logs(struct cli *c, const struct args *a, struct fail *f);
/* cmd_events.c */
int cmd_events(struct cli *c, const struct args *a, struct fail *f);
/* cmd_signal.c */
int cmd_terminate(struct cli *c, const struct args *a, struct fail *f);
int cmd_kill(struct cli *c, const struct args *a, struct fail *f);
int cmd_interrupt(struct cli *c, const struct args *a, struct fail *f);
int cmd_stop_processes(struct cli *c, const struct args *a, struct fail *f);
int cmd_signal(struct cli *c, const struct args *a, struct fail *f);
/* cmd_life.c */
int cmd_start(struct cli *c, const struct args *a, struct fail *f);
int cmd_close(struct cli *c, const struct args *a, struct fail *f);
int cmd_rm(struct cli *c, const struct args *a, struct fail *f);
int cmd_rename(struct cli *c, const struct args *a, struct fail *f);
int cmd_stdin(struct cli *c, const struct args *a, struct fail *f);
/* cmd_up.c */
int cmd_up(struct cli *c, const struct args *a, struct fail *f);
int cmd_export(struct cli *c, const struct args *a, struct fail *f);
/* cmd_info.c */
int cmd_info(struct cli *c, const struct args *a, struct fail *f);
int cmd_backup(struct cli *c, const struct args *a, struct fail *f);
int cmd_open(struct cli *c, const struct args *a, struct fail *f);
int cmd_token_mint(struct cli *c, const struct args *a, struct fail *f);
int cmd_token_list(struct cli *c, const struct args *a, struct fail *f);
int cmd_token_revoke(struct cli *c, const struct args *a, struct fail *f);
/* cmd_doctor.c */
int cmd_doctor(struct cli *c, const struct args *a, struct fail *f);
/* cmd_target.c */
int cmd_target_list(struct cli *c, const struct args *a, struct fail *f);
int cmd_target_show(struct cli *c, const struct args *a, struct fail *f);
int cmd_target_put(struct cli *c, const struct args *a, struct fail *f);
int cmd_target_rm(struct cli *c, const struct args *a, struct fail *f);
/* cmd_config.c */
int cmd_config(struct cli *c, const struct args *a, struct fail *f);
/* cmd_sql.c */
int cmd_sql(struct cli *c, const struct args *a, struct fail *f);
/* cmd_serve.c */
int cmd_serve(struct cli *c, int argc, char **argv, struct fail *f);
/* cmd_daemon.c */
int cmd_stop(struct cli *c, const struct args *a, struct fail *f);
int cmd_upgrade(struct cli *c, const struct args *a, struct fail *f);
/* complete.c */
int cmd_completion(struct cli *c, const struct args *a, struct fail *f);
int cmd_complete(struct cli *c, int argc, char **argv, struct fail *f);
/* help.c */
int cmd_help(struct cli *c, const struct args *a, struct fail *f);

#endif
