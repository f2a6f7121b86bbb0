/* SPDX-License-Identifier: MIT */
/* All commands, in the order of the help. */
#include "cli/command.h"

#include "cli/cmd.h"
#include "cli/select.h"
#include "cli/spec.h"
#include "cli/view.h"

#define OPTIONS(...)                                                                                         \
        (const struct option_spec[])                                                                         \
        {                                                                                                    \
                __VA_ARGS__,                                                                                 \
                {                                                                                            \
                        0                                                                                    \
                }                                                                                            \
        }
#define GROUP(...)                                                                                           \
        &(const struct option_group)                                                                         \
        {                                                                                                    \
                "Options", OPTIONS(__VA_ARGS__)                                                              \
        }

#define RUNNING    "&state=starting,started"
#define PROCESS(m) .arguments = m, .completes = COMPLETES_PROCESS

#define OPT_TREE  OPTION("tree", 0, NULL, "to all of its descendants, though it has ended itself")
#define OPT_WAIT  OPTION("wait", 'w', NULL, "return when they have ended")
#define OPT_QUIET OPTION("quiet", 'q', NULL, "do not show on the terminal how far it has got")
#define OPT_SHELL                                                                                            \
        OPTION("shell", 0, NULL, "the one argument is for /bin/sh -c; without this no shell is involved")
#define OPT_KEY OPTION("idempotency-key", 0, "KEY", "with the same key it is the same process, however often")
#define OPT_JSON                                                                                             \
        OPTION("output", 'o', "text|json", "json: the object of the API", .completes = COMPLETES_WORDS)
#define OPT_RAW   OPTION("raw", 0, NULL, "on a terminal, too, the bytes as they are; it may obey them")
#define OPT_UNTIL OPTION("timeout", 't', "TIME", "give up after that (10s, 5m, 2h), with exit code 124")

const struct command commands[] = {
        {.name = "run",
         .arguments = "[OPTION]... [--] COMMAND [ARGUMENT]...",
         .summary = "start a program; --wait, --follow: and stay with it",
         .examples = "  creche run -- sleep 60                   # its id is printed\n"
                     "  creche run --name web -e PORT=80 -- ./server --verbose\n"
                     "  creche run --follow -- make test         # its output and its exit code are ours\n"
                     "  creche run --follow --stdin - -- sort <names\n"
                     "  creche run --shell 'make 2>&1 | tail'    # only so there is a shell\n"
                     "  creche run --target resize -k width=800  # what an admin has put under this name\n",
         .text = "The first word that is no option begins the command line, which is passed as it is. With\n"
                 "--wait and --follow, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to the "
                 "child,\n"
                 "and its exit code is ours: see 'creche help exit-codes'. Repeated until there is an "
                 "answer,\n"
                 "the start happens once. A Ctrl-C that is typed is for all that the child has started.",
         .groups = {GROUP(OPTION("wait", 'w', NULL, "wait for its end; exit with its code"),
                          OPTION("follow", 'f', NULL, "the same, and its output is ours"), OPT_SHELL, OPT_RAW,
                          OPT_JSON, OPT_KEY),
                    &options_start, &options_spec},
         .flags = COMMAND_ARGV | COMMAND_STAYS,
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_PROGRAM,
         .run = cmd_run},
        {.name = "create",
         .arguments = "[OPTION]... [--] COMMAND [ARGUMENT]...",
         .summary = "register a program without starting it",
         .examples = "  id=$(creche create --name job -- ./job)\n"
                     "  creche start $id\n",
         .groups = {GROUP(OPT_SHELL, OPT_JSON, OPT_KEY), &options_start, &options_spec},
         .flags = COMMAND_ARGV,
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_PROGRAM,
         .run = cmd_create},
        {.name = "start",
         PROCESS("PROCESS..."),
         .summary = "start what 'create' has registered",
         .past = "started",
         .examples = "  creche start job                         # prints the id\n"
                     "  creche start -l batch=7\n",
         .groups = {&options_select},
         .max = OPERANDS_ANY,
         .states = "&state=initial",
         .run = cmd_start},
        {.name = "join",
         .aliases = "wait",
         PROCESS("PROCESS..."),
         .summary = "wait for their end; exit with the code of the child",
         .past = "joined",
         .examples = "  creche join web; echo $?\n"
                     "  creche join --timeout 10s web db         # 124: one of them runs still\n"
                     "  creche join -l batch=7 -o json\n",
         .text = "A restart of the daemon does not end the waiting.",
         .groups = {GROUP(OPT_UNTIL), &options_select, &options_output},
         .flags = COMMAND_STATUS,
         .max = OPERANDS_ANY,
         .run = cmd_join},
        {.name = "wait-any",
         PROCESS("PROCESS..."),
         .summary = "wait until one of them has ended; print its id",
         .examples = "  creche wait-any 3 4 5                    # exits with the code of that one\n",
         .groups = {GROUP(OPT_UNTIL), &options_select, &options_output},
         .flags = COMMAND_STATUS,
         .max = OPERANDS_ANY,
         .run = cmd_wait_any},
        {.name = "active",
         .arguments = "",
         .summary = "list the children that run: active_children()",
         .examples = "  creche active\n"
                     "  creche active -q | xargs creche join\n",
         .groups = {&options_output},
         .flags = COMMAND_LISTS,
         .run = cmd_active},
        {.name = "ps",
         .aliases = "ls list",
         .arguments = "",
         .summary = "list processes, the newest first",
         .examples = "  creche ps\n"
                     "  creche ps --state started -l app=web -o wide\n"
                     "  creche ps -a --sort -exitcode --columns id,name,exitcode,command\n"
                     "  creche ps -o jsonl | jq .name\n",
         .groups = {GROUP(OPTION("all", 'a', NULL, "closed ones as well"),
                          OPTION("limit", 'n', "N", "the newest N only"),
                          OPTION("state", 's', "STATE,...",
                                 "initial, starting, started, stopped, failed, lost, closed"),
                          OPTION("name", 0, "NAME", "with this name"),
                          OPTION("search", 0, "TEXT", "with this in name or command"),
                          OPTION("parent", 0, "ID|none", "children of this process"),
                          OPTION("since", 0, "TIME", "created at or after 2026-01-02T03:04:05Z"),
                          OPTION("until", 0, "TIME", "created before that"),
                          OPTION("dangling", 0, NULL, "ended, and never joined nor closed")),
                    &options_select, &options_output},
         .flags = COMMAND_LISTS,
         .run = cmd_ps},
        {.name = "top",
         .arguments = "",
         .summary = "watch all processes as they come and go",
         .examples =
                 "  creche top                               # q quits; s sorts, / filters, k terminates\n"
                 "  creche top --sort time --filter web\n"
                 "  creche top -b -n 1 | head                # for scripts: plain text, all rows\n",
         .text = "The events of the daemon say what has changed; nothing is asked for while nothing "
                 "happens.\n"
                 "Processor time and memory are known when a process has ended.",
         .groups = {GROUP(
                 OPTION("batch", 'b', NULL, "plain text, all rows, no keys"),
                 OPTION("iterations", 'n', "N", "so many looks, and then the end"),
                 OPTION("delay", 'd', "TIME", "between two of them (1s)"),
                 OPTION("sort", 's', "[-]state|id|name|time|cpu|memory", "with a '-': the other way round"),
                 OPTION("filter", 0, "TEXT", "those with this in name or command"),
                 OPTION("all", 'a', NULL, "closed ones as well"))},
         .run = cmd_top},
        {.name = "show",
         PROCESS("PROCESS..."),
         .summary = "tell all of a process: how it ended, what it used",
         .examples = "  creche show web\n"
                     "  creche show 17 -o json | jq .exit\n",
         .groups = {&options_select, &options_output},
         .max = OPERANDS_ANY,
         .run = cmd_show},
        {.name = "logs",
         PROCESS("PROCESS..."),
         .summary = "show what they have written; -f: and write",
         .examples = "  creche logs web\n"
                     "  creche logs -f -n 10 web db              # the names stand before the lines\n"
                     "  creche logs --stream stderr web\n"
                     "  creche logs -f -t web                    # and when each line came\n",
         .text = "What went to stdout goes to stdout, what went to stderr to stderr. With -f it ends with "
                 "the\n"
                 "processes; a restart of the daemon neither repeats nor leaves out a byte. On a terminal,\n"
                 "control characters are shown, not obeyed.\n\n"
                 "Processes write their logs themselves: when a line was written is not recorded. So -t "
                 "needs "
                 "-f\n"
                 "and tells when a line arrived here, '-' for those that were there before; --since shows\n"
                 "processes whole that were started since then, leaves out those that had ended, and "
                 "refuses\n"
                 "one that was running.",
         .groups = {GROUP(OPTION("follow", 'f', NULL, "go on until they have ended"),
                          OPTION("tail", 'n', "LINES", "begin so many lines before the end"),
                          OPTION("timestamps", 't', NULL, "with -f: when each line arrived"),
                          OPTION("since", 0, "TIME", "of processes started since then (10m, or RFC 3339)"),
                          OPTION("stream", 0, "stdout|stderr|both", "which (both)",
                                 .completes = COMPLETES_WORDS),
                          OPT_RAW),
                    &options_select},
         .max = OPERANDS_ANY,
         .run = cmd_logs},
        {.name = "events",
         .arguments = "",
         .summary = "list what has happened; -f: and happens",
         .examples = "  creche events                            # the last 50\n"
                     "  creche events -f --type stopped,failed,lost\n"
                     "  creche events --since 41 -o jsonl\n",
         .text = "With -f, a restart of the daemon neither repeats nor leaves out an event.",
         .groups = {GROUP(OPTION("follow", 'f', NULL, "go on, from now or from --since on"),
                          OPTION("limit", 'n', "N", "so many (50; with --since: all)"),
                          OPTION("since", 0, "ID", "those after this event, not the last ones"),
                          OPTION("process", 0, "PROCESS", "of this process", .completes = COMPLETES_PROCESS),
                          OPTION("type", 0, "TYPE,...",
                                 "starting, started, stopped, failed, lost, ... only")),
                    &options_output},
         .flags = COMMAND_LISTS,
         .run = cmd_events},
        {.name = "terminate",
         PROCESS("PROCESS..."),
         .summary = "send SIGTERM",
         .past = "terminated",
         .examples = "  creche terminate web\n"
                     "  creche terminate --wait 'worker-*'       # returns when they have ended\n",
         .groups = {GROUP(OPT_TREE, OPT_WAIT, OPT_QUIET), &options_select},
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_terminate},
        {.name = "kill",
         PROCESS("PROCESS..."),
         .summary = "send SIGKILL",
         .past = "killed",
         .examples = "  creche kill web\n"
                     "  creche kill --tree web                   # and all that it has started\n"
                     "  creche kill -s HUP web\n",
         .groups = {GROUP(OPTION("signal", 's', "SIGNAL", "this one instead"), OPT_TREE, OPT_WAIT, OPT_QUIET),
                    &options_select},
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_kill},
        {.name = "interrupt",
         PROCESS("PROCESS..."),
         .summary = "send SIGINT",
         .past = "interrupted",
         .examples = "  creche interrupt web\n",
         .groups = {GROUP(OPT_TREE, OPT_WAIT, OPT_QUIET), &options_select},
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_interrupt},
        {.name = "signal",
         PROCESS("SIGNAL PROCESS..."),
         .summary = "send any signal",
         .past = "signalled",
         .examples = "  creche signal HUP web\n"
                     "  creche signal USR1 -l app=web\n",
         .groups = {GROUP(OPT_TREE, OPT_WAIT, OPT_QUIET), &options_select},
         .min = 1,
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_signal},
        {.name = "stdin",
         PROCESS("PROCESS"),
         .summary = "write our stdin into that of a process",
         .examples = "  creche run --name sorter --stdin pipe -- sort\n"
                     "  creche stdin sorter <names               # and then the end\n"
                     "  echo one line | creche stdin --keep-open sorter\n",
         .groups = {GROUP(OPTION("keep-open", 'k', NULL, "more will follow: do not close it"))},
         .min = 1,
         .max = 1,
         .states = RUNNING,
         .run = cmd_stdin},
        {.name = "close",
         PROCESS("PROCESS..."),
         .summary = "release: it stays as history",
         .past = "closed",
         .examples = "  creche close web\n",
         .groups = {&options_select},
         .max = OPERANDS_ANY,
         .run = cmd_close},
        {.name = "rm",
         .aliases = "remove forget",
         PROCESS("PROCESS..."),
         .summary = "forget: the record and the output",
         .past = "removed",
         .examples = "  creche rm web\n"
                     "  creche rm $(creche ps -q --state stopped,failed)\n",
         .groups = {&options_select},
         .max = OPERANDS_ANY,
         .run = cmd_rm},
        {.name = "rename",
         PROCESS("PROCESS NAME"),
         .summary = "call it otherwise",
         .examples = "  creche rename 17 web\n",
         .groups = {NULL},
         .min = 2,
         .max = 2,
         .run = cmd_rename},
        {.name = "up",
         .arguments = "[-f FILE]",
         .summary = "have running what a file says: start, change, keep",
         .examples =
                 "  creche up                                # ./Procfile: 'web: ./server --port 80', ...\n"
                 "  creche up -f app.json --dry-run          # look at what it would do\n"
                 "  creche up -f app.json --yes --remove-orphans\n"
                 "  {\"processes\": [{\"name\": \"web\", \"argv\": [\"./server\"], \"env\": {\"PORT\": "
                 "\"80\"}}]}\n",
         .text = "What runs under the same name with the same specification is kept, what has another one "
                 "is\n"
                 "terminated and started anew; so a second time it does nothing. Each process of the file is "
                 "a\n"
                 "request as for POST /v1/processes. All are accepted by the daemon before anything is "
                 "ended.\n"
                 "A changed secret is not noticed: nothing of secrets is kept.",
         .groups = {GROUP(
                 OPTION("file", 'f', "FILE", "JSON as of 'creche export', or a Procfile; '-': stdin",
                        .completes = COMPLETES_FILE),
                 OPTION("project", 'p', "NAME", "whose processes they are (as the file says; its directory)"),
                 OPTION("dry-run", 0, NULL, "say what would be done, do nothing"),
                 OPTION("yes", 'y', NULL, "do not ask"),
                 OPTION("remove-orphans", 0, NULL, "end what the file no longer has"),
                 OPTION("grace", 0, "TIME", "between SIGTERM and SIGKILL (10s)"), OPT_QUIET, OPT_JSON)},
         .run = cmd_up},
        {.name = "export",
         PROCESS("[PROCESS...]"),
         .summary = "print what runs as a file for 'creche up'",
         .examples = "  creche export >app.json\n"
                     "  creche export -l app=shop | creche up -f - --dry-run\n",
         .groups = {&options_select},
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_export},
        {.name = "target list",
         .arguments = "",
         .summary = "list the named targets: what may be started by its name",
         .examples = "  creche target list\n"
                     "  creche target list -q\n",
         .groups = {&options_output},
         .flags = COMMAND_LISTS,
         .run = cmd_target_list},
        {.name = "target show",
         .arguments = "NAME...",
         .summary = "tell all of a named target: the values that it takes",
         .examples = "  creche target show resize\n"
                     "  creche target show resize -o json\n",
         .groups = {GROUP(OPT_JSON)},
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_TARGET,
         .run = cmd_target_show},
        {.name = "target put",
         .arguments = "[OPTION]... NAME [--] COMMAND [ARGUMENT]...",
         .summary = "create or replace a named target",
         .examples = "  creche target put -p 'who=[A-Za-z ]{1,32}' greet -- echo 'Hello {who}!'\n"
                     "  creche run --target greet -k who=world\n"
                     "  creche target put --file resize.json resize\n",
         .text = "A {word} in an argument is a placeholder, which each start gives a value; what it may be, "
                 "its\n"
                 "pattern says, a POSIX extended regular expression. '{{' and '}}' are braces. Each "
                 "argument\n"
                 "stays one, whatever the values are: there is no shell.",
         .groups = {GROUP(OPTION("placeholder", 'p', "NAME=PATTERN", "a value that it takes; in this order"),
                          OPTION("default", 0, "NAME=VALUE", "for a placeholder that gets none"),
                          OPTION("file", 0, "FILE",
                                 "all of it as JSON, as 'PUT /v1/targets/NAME' takes it; '-': stdin",
                                 .completes = COMPLETES_FILE),
                          OPT_JSON),
                    &options_target, &options_spec},
         .flags = COMMAND_ARGV,
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_TARGET,
         .run = cmd_target_put},
        {.name = "target rm",
         .arguments = "NAME...",
         .summary = "delete named targets; what was started goes on",
         .examples = "  creche target rm greet\n",
         .groups = {NULL},
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_TARGET,
         .run = cmd_target_rm},
        {.name = "info",
         .arguments = "",
         .summary = "tell of the daemon: health, addresses, counts",
         .examples = "  creche info\n"
                     "  creche info -o json | jq .limits\n",
         .groups = {GROUP(OPT_JSON)},
         .run = cmd_info},
        {.name = "doctor",
         .arguments = "",
         .summary = "look whether all is well, and say what to do where it is not",
         .examples = "  creche doctor                            # exit code 1: something is broken\n"
                     "  creche doctor -o json | jq '.checks[] | select(.finding != \"ok\")'\n",
         .text = "It looks at the settings, the socket, the rights of what lies in the state directory, the "
                 "database, the\n"
                 "disk, the limits, the kernel and the clock; with a daemon and without. A warning is no\n"
                 "failure: the exit code stays 0.",
         .groups = {GROUP(OPT_JSON)},
         .flags = COMMAND_EXAMINES,
         .run = cmd_doctor},
        {.name = "token mint",
         .arguments = "NAME --scope SCOPE,...",
         .summary = "make a token; it is printed, once",
         .examples = "  creche token mint ci --scope read,start --expires 30d\n",
         .groups = {GROUP(OPTION("scope", 's', "SCOPE,...", "read, start, signal, logs, delete, admin"),
                          OPTION("expires", 0, "TIME", "after which it is good no more (never)"), OPT_JSON)},
         .min = 1,
         .max = 1,
         .run = cmd_token_mint},
        {.name = "token list",
         .arguments = "",
         .summary = "list tokens",
         .examples = "  creche token list\n",
         .groups = {&options_output},
         .flags = COMMAND_LISTS,
         .run = cmd_token_list},
        {.name = "token revoke",
         .arguments = "ID...",
         .summary = "end tokens",
         .examples = "  creche token revoke 3\n",
         .groups = {NULL},
         .min = 1,
         .max = OPERANDS_ANY,
         .completes = COMPLETES_TOKEN,
         .run = cmd_token_revoke},
        {.name = "sql",
         .arguments = "STATEMENT",
         .summary = "ask the database of the daemon on this machine",
         .examples = "  creche sql 'SELECT name, exitcode FROM processes WHERE exitcode <> 0'\n"
                     "  creche sql -o csv 'SELECT * FROM processes' >processes.csv\n",
         .text = "It can only read, one SELECT at a time.",
         .groups = {GROUP(OPTION("timeout", 't', "TIME", "it ends after that, with exit code 124 (10s)")),
                    &options_output},
         .flags = COMMAND_LISTS,
         .min = 1,
         .max = 1,
         .run = cmd_sql},
        {.name = "backup",
         .arguments = "FILE",
         .summary = "write a consistent copy of the database",
         .examples = "  creche backup before-upgrade.db\n"
                     "  creche backup - | gzip >backup.gz\n",
         .groups = {GROUP(OPTION("force", 0, NULL, "in the place of a file that is there"))},
         .min = 1,
         .max = 1,
         .completes = COMPLETES_FILE,
         .run = cmd_backup},
        {.name = "open",
         .arguments = "",
         .summary = "make a link that signs a browser in, once",
         .examples = "  creche open\n"
                     "  creche open --scope read,logs,signal\n",
         .groups = {GROUP(OPTION("scope", 's', "SCOPE,...", "what may be done there (read,logs)"), OPT_JSON)},
         .run = cmd_open},
        {.name = "serve",
         .arguments = "[-d] [--log FILE] [OPTION OF CRECHED]...",
         .summary = "run the daemon; -d: in the background",
         .examples = "  creche serve                             # Ctrl-C stops it\n"
                     "  creche serve -d                          # returns when it is ready\n"
                     "  creche serve -d --socket /tmp/s --state-dir /tmp/state --listen none\n",
         .text = "All other options go to creched: 'creched --help' explains them.",
         .groups = {GROUP(OPTION("detach", 'd', NULL, "in the background; return when it is ready"),
                          OPTION("log", 0, "FILE",
                                 "with -d: where it logs (beside its state directory; root: /var/log)",
                                 .completes = COMPLETES_FILE))},
         .flags = COMMAND_PASSES,
         .pass = cmd_serve},
        {.name = "stop",
         PROCESS("[PROCESS...]"),
         .summary = "stop the daemon, in good order; with names: those processes",
         .past = "ended",
         .examples = "  creche stop                              # waits for what is not daemonic\n"
                     "  creche stop --terminate                  # terminates that, too\n"
                     "  creche stop web                          # terminate --wait\n",
         .groups = {GROUP(OPTION("terminate", 0, NULL, "terminate all processes first"),
                          OPTION("kill", 0, NULL, "kill instead of terminating"), OPT_UNTIL, OPT_TREE,
                          OPT_QUIET),
                    &options_select},
         .max = OPERANDS_ANY,
         .states = RUNNING,
         .run = cmd_stop},
        {.name = "upgrade",
         .arguments = "",
         .summary = "have the daemon replaced by the creched that is installed now",
         .examples = "  creche upgrade                           # processes go on, nobody is refused\n",
         .groups = {GROUP(OPTION("timeout", 't', "TIME", "how long to wait for the new one (60s)"))},
         .run = cmd_upgrade},
        {.name = "config",
         .arguments = "[--check [FILE]]",
         .summary = "show what is set, and where; --check: whether it is right",
         .examples = "  creche config\n"
                     "  creche config --columns name,value,origin --sort -origin\n"
                     "  creche config --check /etc/creche/creche.ini\n",
         .text = "Of creched it shows what one that is started here and now would take. --check tells "
                 "everything\n"
                 "that is wrong with FILE, or else with the files and variables that are read.",
         .groups = {GROUP(OPTION("check", 0, NULL, "tell what is wrong, with file and line")),
                    &options_output},
         .flags = COMMAND_LISTS | COMMAND_OFFLINE,
         .max = 1,
         .completes = COMPLETES_FILE,
         .run = cmd_config},
        {.name = "completion",
         .arguments = "bash|zsh|fish",
         .summary = "print what a shell needs to complete our words",
         .examples = "  source <(creche completion bash)\n"
                     "  creche completion fish >~/.config/fish/completions/creche.fish\n",
         .groups = {NULL},
         .min = 1,
         .max = 1,
         .flags = COMMAND_OFFLINE,
         .completes = COMPLETES_WORDS,
         .run = cmd_completion},
        {.name = "help",
         .arguments = "[COMMAND|TOPIC]",
         .summary = "tell how to do it",
         .examples = "  creche help run\n"
                     "  creche help exit-codes\n",
         .groups = {NULL},
         .max = 2,
         .flags = COMMAND_OFFLINE,
         .completes = COMPLETES_COMMAND,
         .run = cmd_help},
        {.name = "__complete", .flags = COMMAND_HIDDEN | COMMAND_PASSES, .pass = cmd_complete},
        {0},
};
