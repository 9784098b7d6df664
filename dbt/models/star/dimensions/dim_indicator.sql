{{ dimension_members(ref('indicator'), 'indicator', 'indicator', ['source_code', 'source_indicator_id', 'unit']) }}
