-- The layout of each event as JSON, always read and written whole. Apart from `events`, whose rows each confirmed
-- booking rewrites.
CREATE TABLE layouts (
    event    TEXT PRIMARY KEY REFERENCES events (id) ON DELETE CASCADE,
    sections TEXT NOT NULL
) STRICT;

INSERT INTO layouts (event, sections) SELECT id, sections FROM events;

ALTER TABLE events DROP COLUMN sections;
