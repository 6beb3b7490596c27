/* Machines that the tests of the polyhedral path schedule for. */
#ifndef NNCC_TESTS_UNIT_POLY_MACHINES_H
#define NNCC_TESTS_UNIT_POLY_MACHINES_H

#include "ir/target.h"

/* 16 floats in each of 32 registers. */
static const struct target wide = {.name = "wide",
                                   .vector_bytes = 64,
                                   .registers = 32,
                                   .masks = true,
                                   .fmas = 2,
                                   .loads = 2,
                                   .stores = 1,
                                   .latency = 4,
                                   .cache = {32768, 1 << 20, 1 << 24},
                                   .bandwidth = {64, 32, 8},
                                   .ghz = 4};

/* 8 floats in each of 16 registers. */
static const struct target narrow = {.name = "narrow",
                                     .vector_bytes = 32,
                                     .registers = 16,
                                     .masks = true,
                                     .fmas = 2,
                                     .loads = 2,
                                     .stores = 1,
                                     .latency = 4,
                                     .cache = {32768, 1 << 20, 1 << 24},
                                     .bandwidth = {32, 16, 8},
                                     .ghz = 4};

/* The same with caches so small, and memory so slow, that all but a few rows is far away. */
static const struct target distant = {.name = "distant",
                                      .vector_bytes = 32,
                                      .registers = 16,
                                      .masks = true,
                                      .fmas = 2,
                                      .loads = 2,
                                      .stores = 1,
                                      .latency = 4,
                                      .cache = {2048, 8192, 16384},
                                      .bandwidth = {8, 2, 0.25},
                                      .ghz = 4};

static const struct target no_vectors = {.name = "plain", .registers = 16, .ghz = 1};

#endif
