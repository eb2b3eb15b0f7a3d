/* Rows that `checkcl --tune` measured, one for each driver and vector width; tiles.c takes the first that fits and otherwise its defaults.
 * checkcl --tune --table kernels/tuned.h puts a row here, or replaces the one of the same driver and width. */
