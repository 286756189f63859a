"""asyncio: drives the steps of `sync` with a provider session and a store."""
