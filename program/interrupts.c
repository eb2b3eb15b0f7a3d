/* The handler only writes two variables of type sig_atomic_t. */
#include "interrupts.h"

#include <signal.h>

static const struct {
  int number;
  gboolean may_be_ignored; /* TRUE: it stays ignored if it was */
} caught[] = {
  /* A shell without job control ignores SIGINT for commands in the background. If it is sent nevertheless, it is meant. */
  { SIGINT, FALSE }, { SIGTERM, FALSE }, { SIGHUP, TRUE }, { SIGPIPE, TRUE }, { SIGXCPU, TRUE },
};

static gboolean ignored[G_N_ELEMENTS (caught)];
static struct sigaction before[G_N_ELEMENTS (caught)], before_file_size;
static volatile sig_atomic_t count, first;

static void
on_signal (int number)
{
  if (count && number == SIGPIPE)
    return;
  if (count == 0)
    first = number;
  count++;
}

/* Remembers which signals were ignored when the process was started, as nohup does with SIGHUP. Libraries set their own handlers: LLVM's remove
 * temporary files, and UCX, which Open MPI 5 loads, takes SIGHUP for its debugger in a constructor, even if it is ignored. So this runs before the
 * constructors of all libraries, which is also before a sanitizer is ready. */
__attribute__ ((no_sanitize ("address", "undefined", "thread"))) static void
remember (int argc, char **argv, char **environment)
{
  for (guint i = 0; i < G_N_ELEMENTS (caught); i++) {
    struct sigaction now;

    ignored[i] = caught[i].may_be_ignored && sigaction (caught[i].number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
  }
}

__attribute__ ((section (".preinit_array"), used)) static void (*remember_first) (int, char **, char **) = remember;

void
rvm_interrupts_catch (void)
{
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  const struct sigaction ignore = { .sa_handler = SIG_IGN };

  count = first = 0;
  for (guint i = 0; i < G_N_ELEMENTS (caught); i++)
    sigaction (caught[i].number, ignored[i] ? &ignore : &action, &before[i]);
  /* Without the signal, a file that may not grow is a write error, as on a full disk. */
  sigaction (SIGXFSZ, &ignore, &before_file_size);
}

void
rvm_interrupts_release (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (caught); i++)
    sigaction (caught[i].number, &before[i], NULL);
  sigaction (SIGXFSZ, &before_file_size, NULL);
  count = 0;
}

void
rvm_interrupts_deliver (void)
{
  const gboolean came = count > 0;

  rvm_interrupts_release ();
  if (came)
    raise (first);
}

guint
rvm_interrupts_count (void)
{
  return count;
}

int
rvm_interrupts_get_status (void)
{
  return first ? 128 + first : 0;
}
