//! Blocking calls in coroutines end as the kernel has them end.
