// Stub until the target's own files arrive.
