/* QEMU's edu device: interrupts by MSI, and DMA, as the case asks for. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

#define ADDRESS 0xfee00000u /* of MSIs: SDM 3A 11.11.1 */

/* Registers of its MSI capability, with a 64-bit address (PCI Local Bus 3.0, 6.8.1). */
#define MSI_CONTROL 0x00u /* upper half */
#define MSI_ADDRESS 0x04u
#define MSI_DATA    0x0cu
#define MSI_ENABLE  0x10000u

/* Look for it: case_skip() when there is none. */
void edu_find(void);
/* Let its MSIs go to `address` with `data`; or off. */
void edu_msi(uint32_t address, uint32_t data);
void edu_msi_off(void);
/* Interrupt, for causes `bits`; causes that are not cleared yet; clear them. */
void edu_raise(uint32_t bits);
uint32_t edu_status(void);
void edu_clear(uint32_t bits);
/* The MSI capability's place in configuration space, and its registers. */
uint32_t edu_msi_at(void);
uint32_t edu_config_read(uint32_t offset);
void edu_config_write(uint32_t offset, uint32_t value);
/* Write 4 bytes to bus address `to`, by DMA: takes a tenth of a second. */
void edu_dma_write(uint64_t to, uint32_t value);
