// The console: GraphiQL with a token box. The token lives as long as the tab and goes nowhere but here.
'use strict';

const TOKEN = 'cluestream.token';
const box = document.getElementById('token');
const status = document.getElementById('status');
const token = () => box.value.trim();

box.value = sessionStorage.getItem(TOKEN) || new URLSearchParams(location.hash.slice(1)).get('token') || '';
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
    id
    roles
  }
}
`,
  },
  {
    query: `# The first page of my clues, newest work first.
query MyClues($after: String) {
  clues(first: 20, after: $after) {
    edges {
      cursor
      node { id stage lifecycle updatedAt }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: '{ "after": null }',
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
