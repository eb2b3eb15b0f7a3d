/* What the streams of a process share: models, loaded once and freed with the last user, and turns on the device, in order of arrival. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/runtime/turns.h"
#include "model/stream.h"

#define MODEL TEST_DATA "/tiny.npz"
#define THREADS 8

static gpointer
load (gpointer data)
{
  const RvmModelOptions options = { 0 };
  GError *error = NULL;
  RvmModel *model = rvm_model_load (MODEL, &options, &error);

  ck_assert_msg (model != NULL, "%s", error ? error->message : "no error");
  return model;
}

START_TEST (test_model_is_loaded_once)
{
  for (guint round = 0; round < 3; round++) {
    GThread *threads[THREADS];
    RvmModel *models[THREADS];

    for (guint i = 0; i < THREADS; i++)
      threads[i] = g_thread_new ("load", load, NULL);
    for (guint i = 0; i < THREADS; i++)
      models[i] = g_thread_join (threads[i]);
    for (guint i = 1; i < THREADS; i++) {
      ck_assert_ptr_eq (models[i], models[0]);
      rvm_model_unref (models[i]);
    }
    rvm_model_unref (models[0]);
  }
}
END_TEST

/* A file that cannot be loaded keeps nobody waiting. */
static gpointer
load_nothing (gpointer data)
{
  const RvmModelOptions options = { 0 };
  GError *error = NULL;

  ck_assert_ptr_eq (rvm_model_load (__FILE__, &options, &error), NULL);
  g_error_free (error);
  return NULL;
}

START_TEST (test_failures_are_everybodys_own)
{
  GThread *threads[THREADS];

  for (guint i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("load", load_nothing, NULL);
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
}
END_TEST

typedef struct {
  RvmTurns *turns;
  gint *order, position;
  gint place; /* in the order of service */
} Waiting;

static gpointer
wait_for_turn (gpointer data)
{
  Waiting *waiting = data;

  rvm_turns_take (waiting->turns);
  waiting->place = g_atomic_int_add (waiting->order, 1);
  rvm_turns_end (waiting->turns);
  return NULL;
}

START_TEST (test_turns_are_in_order)
{
  RvmTurns *turns = rvm_turns_new (1);
  Waiting waiting[THREADS];
  GThread *threads[THREADS];
  gint order = 0;

  rvm_turns_take (turns);
  for (guint i = 0; i < THREADS; i++) {
    waiting[i] = (Waiting){ .turns = turns, .order = &order };
    threads[i] = g_thread_new ("wait", wait_for_turn, &waiting[i]);
    while (rvm_turns_get_waiting (turns) < i + 1)
      g_usleep (100);
  }
  rvm_turns_end (turns);
  for (guint i = 0; i < THREADS; i++) {
    g_thread_join (threads[i]);
    ck_assert_int_eq (waiting[i].place, i);
  }
  rvm_turns_free (turns);
}
END_TEST

typedef struct {
  RvmTurns *turns;
  gint *started, *stop, *inside, *all_taken;
  guint taken, too_many, at_once;
  gulong work; /* microseconds */
} Greedy;

static gpointer
take_turns (gpointer data)
{
  Greedy *greedy = data;

  g_atomic_int_inc (greedy->started);
  while (!g_atomic_int_get (greedy->stop)) {
    rvm_turns_take (greedy->turns);
    greedy->too_many += (guint) g_atomic_int_add (greedy->inside, 1) >= greedy->at_once;
    g_usleep (greedy->work);
    g_atomic_int_add (greedy->inside, -1);
    greedy->taken++;
    g_atomic_int_inc (greedy->all_taken);
    rvm_turns_end (greedy->turns);
  }
  return NULL;
}

/* Those who work long and those who work briefly get as many turns. */
START_TEST (test_turns_are_fair)
{
  for (guint at_once = 1; at_once <= 2; at_once++) {
    RvmTurns *turns = rvm_turns_new (at_once);
    gint started = 0, stop = 0, inside = 0, all_taken = 0;
    Greedy greedy[THREADS];
    GThread *threads[THREADS];
    guint fewest = G_MAXUINT, most = 0;

    for (guint t = 0; t < at_once; t++)
      rvm_turns_take (turns);
    for (guint i = 0; i < THREADS; i++) {
      greedy[i] = (Greedy){ .turns = turns, .started = &started, .stop = &stop, .inside = &inside, .all_taken = &all_taken, .at_once = at_once, .work = i % 2 ? 2000 : 50 };
      threads[i] = g_thread_new ("take", take_turns, &greedy[i]);
    }
    while (rvm_turns_get_waiting (turns) < THREADS)
      g_usleep (100);
    for (guint t = 0; t < at_once; t++)
      rvm_turns_end (turns);
    while (g_atomic_int_get (&all_taken) < 50 * THREADS)
      g_usleep (1000);
    g_atomic_int_set (&stop, 1);
    for (guint i = 0; i < THREADS; i++) {
      g_thread_join (threads[i]);
      ck_assert_uint_eq (greedy[i].too_many, 0);
      fewest = MIN (fewest, greedy[i].taken);
      most = MAX (most, greedy[i].taken);
    }
    /* A thread that was between two turns when another came for its own is overtaken, no more: without the order, brief ones get ten times
     * as many. */
    ck_assert_msg (fewest > 0 && most <= fewest * 1.5 + 2, "%u to %u turns", fewest, most);
    rvm_turns_free (turns);
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("sharing");
  TCase *tests = tcase_create ("all");
  SRunner *runner;
  int failed;

  tcase_set_timeout (tests, 120);
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_model_is_loaded_once);
  tcase_add_test (tests, test_failures_are_everybodys_own);
  tcase_add_test (tests, test_turns_are_in_order);
  tcase_add_test (tests, test_turns_are_fair);
  runner = srunner_create (suite);
  srunner_set_fork_status (runner, CK_NOFORK);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed != 0;
}
