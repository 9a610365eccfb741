/* Error numbers: functions that can fail return 0 or a negative one of these. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#if __STDC_HOSTED__
#include <errno.h>
#else
#define EIO       5
#define ENOEXEC   8
#define ENOMEM    12
#define EACCES    13
#define EFAULT    14
#define EBUSY     16
#define EEXIST    17
#define ENODEV    19
#define EINVAL    22
#define ENOSPC    28
#define ERANGE    34
#define ENOSYS    38
#define ETIMEDOUT 110
#endif
#ifndef ENOENT
#define ENOENT 2
#endif
