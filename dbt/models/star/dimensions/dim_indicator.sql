{{ dimension_members('(' ~ indicators() ~ ')', 'indicator', 'indicator', ['source_code', 'source_indicator_id', 'unit']) }}
