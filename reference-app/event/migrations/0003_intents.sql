-- What is being done to an event in the inventory and here: kept before the inventory is told, gone with the commit that
-- ends it here. What a crash left of it is done again.
CREATE TABLE intents (
    event TEXT PRIMARY KEY REFERENCES events (id) ON DELETE CASCADE,
    -- What the event is to be, as JSON; of one that is being cancelled nothing.
    spec  TEXT
) STRICT, WITHOUT ROWID;
