// The console: GraphiQL with a token box. The token lives as long as the tab and goes nowhere but here.
'use strict';

const TOKEN = 'cluestream.token';
const box = document.getElementById('token');
const status = document.getElementById('status');
const token = () => box.value.trim();

// A link with a token speaks for whoever opened it last, also in a tab that had another.
const linked = () => new URLSearchParams(location.hash.slice(1)).get('token');
window.addEventListener('hashchange', () => linked() && location.reload());

box.value = linked() || sessionStorage.getItem(TOKEN) || '';
history.replaceState(null, '', location.pathname);
sessionStorage.setItem(TOKEN, token());

// Subscriptions travel over a socket of graphql-transport-ws; it opens with the first of them.
const socket = graphqlWs.createClient({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql/ws`,
  lazy: true,
  connectionParams: () => ({ token: token() }),
});

async function send(url, options) {
  const headers = { ...options.headers };
  if (!headers.Authorization && !headers.authorization && token()) headers.Authorization = `Bearer ${token()}`;
  const response = await fetch(url, { ...options, headers });
  status.textContent = response.status === 401 ? 'A good token is needed: cluestream token OPERATOR' : '';
  return response;
}

const fetcher = GraphiQL.createFetcher({ url: '/graphql', fetch: send, wsClient: socket });

const EXAMPLES = [
  {
    query: `# Who am I, and where may I work?
query Me {
  viewer {
    name { text }
    roles
    lines
  }
}
`,
  },
  {
    query: `# My clues, the next contact first.
query MyClues($after: String) {
  clues(first: 20, sort: NEXT_FOLLOW_UP, after: $after) {
    edges {
      node { id customerName { text } stage lifecycle stars nextFollowUpAt }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: '{ "after": null }',
  },
  {
    query: `# What happens to clues, as it happens.
subscription Live {
  clueListChanged {
    position
    clueId
    clue { customerName { text } stage lifecycle }
  }
}
`,
  },
];

const element = React.createElement(GraphiQL, {
  fetcher,
  defaultTabs: EXAMPLES,
  isHeadersEditorEnabled: true,
  shouldPersistHeaders: false,
  defaultEditorToolsVisibility: true,
  key: token(),
});
const root = ReactDOM.createRoot(document.getElementById('graphiql'));
root.render(element);

// Another token may see another schema, so the page starts over with it.
box.addEventListener('change', () => {
  sessionStorage.setItem(TOKEN, token());
  location.reload();
});
