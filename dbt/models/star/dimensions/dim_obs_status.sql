{{ dimension_members(ref('obs_status'), 'obs_status', 'obs_status', ['has_value']) }}
